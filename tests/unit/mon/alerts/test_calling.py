# SPDX-License-Identifier: GPL-2.0-or-later
"""A call taken apart: by its kind, not by what an argument looks like."""

from __future__ import annotations

import pytest

from bpvs.model.mon import AlertKind, Key
from bpvs.mon.alerts.calling import AlertFailed, Options, place, taken_apart
from bpvs.mon.core.values import CallAlert

STANDARD = ("-s", "http", "-g", "WEB", "-h", "a b", "-t", "1795377522")


def call(kind: AlertKind, *own: str, stdin: bytes = b"") -> CallAlert:
    return CallAlert(Key("WEB", "http"), kind, "x.alert", (*STANDARD, *own), {}, stdin)


@pytest.mark.parametrize(
    ("kind", "flag"),
    [
        (AlertKind.UP, "-u"),
        (AlertKind.ACK, "-a"),
        (AlertKind.DISABLE, "-D"),
        (AlertKind.TRAP, "-T"),
        (AlertKind.TRAP_TIMEOUT, "-O"),
    ],
)
def test_the_flag_is_not_one_of_the_alerts_own_arguments(kind: AlertKind, flag: str) -> None:
    assert taken_apart(call(kind, flag, "one", "two")).own == ("one", "two")


def test_a_failure_has_no_flag_so_its_first_argument_may_look_like_one() -> None:
    assert taken_apart(call(AlertKind.FAILURE, "-u", "one")).own == ("-u", "one")


def test_hosts_time_and_words() -> None:
    calling = taken_apart(call(AlertKind.FAILURE, stdin=b"a b\nrefused\nrefused too\n"))
    assert (calling.hosts, calling.epoch, calling.summary) == (("a", "b"), 1795377522, "a b")
    assert calling.detail == "refused\nrefused too\n"
    assert (calling.is_failure, calling.is_up) == (True, False)


def test_what_is_no_call_of_mon_is_refused() -> None:
    with pytest.raises(AlertFailed, match="called with '-s http'; it should begin with -s SERVICE -g GROUP"):
        taken_apart(CallAlert(Key("WEB", "http"), AlertKind.UP, "x.alert", ("-s", "http"), {}, b""))


def test_a_wrong_option_is_a_sentence_and_ends_nothing() -> None:
    options = Options("x.alert")
    options.add_argument("--port", type=int)
    with pytest.raises(AlertFailed, match=r"x\.alert: argument --port: invalid int value: 'a'; usage: x\.alert"):
        options.read(["--port", "a"])


@pytest.mark.parametrize(
    ("text", "found"),
    [("mail", ("mail", 25)), ("mail.x:587", ("mail.x", 587)), ("[2001:db8::1]:26", ("2001:db8::1", 26))],
)
def test_a_place_is_a_host_and_perhaps_a_port(text: str, found: tuple[str, int]) -> None:
    assert place(text, 25) == found
