# SPDX-License-Identifier: GPL-2.0-or-later
"""Arguments of monitors, in all the ways in which mon's monitors let them be written."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from bpvs.mon.monitors.options import Common, escaped, flag, option, parse, port, ports, positive, seconds
from bpvs.text.errors import UsageError


@dataclass(frozen=True)
class Options(Common):
    port: int = option("-p --port", port, 80)
    zones: tuple[str, ...] = option("-zone", str, (), is_repeated=True)
    is_all: bool = flag("-a")
    is_open: bool = flag("-o --open")


PORT_90: dict[str, object] = {"port": 90}
READ: dict[str, tuple[list[str], dict[str, object], tuple[str, ...]]] = {
    "nothing": ([], {}, ()),
    "a letter and its value": (["-p", "90"], PORT_90, ()),
    "a letter with its value": (["-p90"], PORT_90, ()),
    "a long name": (["--port", "90"], PORT_90, ()),
    "a long name with =": (["--port=90"], PORT_90, ()),
    "the last one counts": (["-p", "80", "--port=90"], PORT_90, ()),
    "the name of a port": (["-p", "https"], {"port": 443}, ()),
    "one dash, long": (["-zone", "a", "-zone=b", "--zone", "c", "--zone=d"], {"zones": ("a", "b", "c", "d")}, ()),
    "letters together": (["-ao"], {"is_all": True, "is_open": True}, ()),
    "letters together, one with a value": (["-aop90"], {"is_all": True, "is_open": True, "port": 90}, ()),
    "hosts behind": (["-a", "one", "two"], {"is_all": True}, ("one", "two")),
    "no options behind the first host": (["one", "-a"], {}, ("one", "-a")),
    "two dashes": (["-a", "--", "-o"], {"is_all": True}, ("-o",)),
    "a lone dash is a word": (["-"], {}, ("-",)),
    "a value that looks like an option": (["-zone", "-a"], {"zones": ("-a",)}, ()),
    "common options": (
        ["--source", "2001:db8:0::1", "--interface=eth0", "--mark", "0x1f", "-t", "2.5"],
        {"source": "2001:db8::1", "interface": "eth0", "mark": 31, "timeout": 2.5},
        (),
    ),
}

REFUSED: dict[str, tuple[list[str], str]] = {
    "unknown": (["--prt", "9"], "x.monitor: --prt is no option of it: there are -t --timeout"),
    "unknown letter": (["-az"], "x.monitor: -z is no option of it"),
    "unknown with a value": (["--prt=9"], "x.monitor: --prt is no option of it"),
    "no value": (["-p"], "x.monitor: -p wants a value"),
    "a value too many": (["--open=yes"], "x.monitor: --open wants no value"),
    "port zero": (["-p", "0"], "x.monitor: -p: 0 is no port: 1 to 65535"),
    "no such service": (["-p", "nosuch"], "x.monitor: -p: 'nosuch' is neither a port nor the name of one"),
    "= behind a letter": (["-p=80"], "x.monitor: -p: '=80' is neither"),
    "a negative time": (["-t", "-1"], "x.monitor: -t: '-1' is no time: right would be 5 or 0.5"),
    "no time": (["-t", "0"], "x.monitor: -t: '0' is no time"),
    "no address": (["--source", "here"], "x.monitor: --source: 'here' is no address"),
    "no mark": (["--mark", "-1"], "x.monitor: --mark: '-1' is no mark: 0 to 0xffffffff"),
    "no interface": (["--interface", "much-too-long-name"], "x.monitor: --interface: 'much-too-long-name' is no name"),
    "both families": (["-4", "-6"], "x.monitor: -4 and -6 exclude each other"),
    "two families": (["-4", "--source", "::1"], "x.monitor: ::1 is of the other family than the option asks for"),
}


@pytest.mark.parametrize("name", READ)
def test_read(name: str) -> None:
    words, values, rest = READ[name]
    assert parse("x.monitor", Options, words) == (Options(**values), rest)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    words, sentence = REFUSED[name]
    with pytest.raises(UsageError, match=f"^{re.escape(sentence)}"):
        parse("x.monitor", Options, words)


def test_the_same_words_give_the_same_value() -> None:
    assert parse("x.monitor", Options, ["-p", "90"])[0] is parse("x.monitor", Options, ["-p", "90"])[0]


def test_values() -> None:
    assert ports("80,https") == (80, 443)
    assert positive("12") == 12
    assert seconds("0.5") == 0.5
    assert escaped(r"a\r\n\t\0\x7F\\n") == b"a\r\n\t\0\x7f\\n"


@pytest.mark.parametrize("text", ["\\q", "\\x1", "end\\", "é"])
def test_escapes_that_stand_for_nothing(text: str) -> None:
    with pytest.raises(ValueError, match=r"stands for nothing|beyond ASCII"):
        escaped(text)
