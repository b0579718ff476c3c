# SPDX-License-Identifier: GPL-2.0-or-later
"""What mon 1.3.6's own monitors said of some servers, held against the built-in ones before the same servers.

The exit code and the first line, which names the failed hosts, are the same, but for DIFFERENCES. The recording has the
arguments, with quotes where a word holds a blank.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from ast import literal_eval
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from bpvs.lab.host import Host
from bpvs.lab.network import Network
from bpvs.mon.monitors.registry import find
from bpvs.mon.monitors.report import output_of, status_of
from tests.mon.monitors.servers import Serve, answering, greeting, hang, serving

RECORDING = Path(__file__).parents[2] / "golden/mon/13_shipped_monitors/outputs.txt"
_RUN = re.compile(r"^\$ (.*?)\s+# (.*)\n  exit (\S+) after .*\n  stdout (.*)$", re.MULTILINE)
_STATUS = re.compile(r"^  http\.monitor status (\d+) -> exit (\d)$", re.MULTILINE)

TEXT = "Content-Type: text/plain\r\n"
SERVERS: dict[str, Serve] = {  # by address, on port 8080
    "127.0.0.21": answering(f"HTTP/1.1 200 OK\r\n{TEXT}\r\nbody\n".encode()),
    "127.0.0.22": answering(f"HTTP/1.1 302 Found\r\n{TEXT}Location: /x\r\n\r\nbody\n".encode()),
    "127.0.0.23": answering(f"HTTP/1.1 404 Not Found\r\n{TEXT}\r\nbody\n".encode()),
    "127.0.0.24": answering(f"HTTP/1.1 401 Unauthorized\r\n{TEXT}\r\nbody\n".encode()),
    "127.0.0.25": hang,
    "127.0.0.26": greeting(b"garbage\r\n"),
}


@dataclass(frozen=True)
class Run:
    words: tuple[str, ...]
    code: str
    summary: str


def _runs() -> dict[str, Run]:
    found = {}
    for command, what, code, stdout in _RUN.findall(RECORDING.read_text()):
        words = tuple(shlex.split(command))
        found[f"{words[0]}: {what}"] = Run(words, code, literal_eval(stdout).partition("\n")[0])
    return found


RUNS = _runs()
DIFFERENCES = {  # what ours makes of it, and why
    "tcp.monitor: service name": (0, "", "names of ports are understood"),
    "ping.monitor: no hosts": (0, "", "nobody is unwell"),
    "fping.monitor: unresolvable": (1, "no-such-host.invalid", "a name that is unknown is in the summary"),
    "dns-query.monitor: nothing listening": (1, "127.0.0.99", "ended by the recorder after a minute"),
}
LEFT_OUT = {
    "fping.monitor: help",  # a usage is no result
    "fping.monitor: -s 1ms",  # a busy machine may take longer
}


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Network() as network:
        yield network.host("recorded")


@pytest.mark.root
@pytest.mark.parametrize("name", sorted(set(RUNS) - LEFT_OUT))
def test_the_same_hosts_fail(host: Host, name: str) -> None:
    run = RUNS[name]
    with host.inside(), ExitStack() as stack:
        for address, serve in SERVERS.items():
            stack.enter_context(serving(serve, address, port=8080))
        code, summary = _ours(run.words)
    wanted = DIFFERENCES[name][:2] if name in DIFFERENCES else (int(run.code), run.summary)
    assert (code, summary) == wanted


def test_every_difference_is_one() -> None:
    for name, (code, summary, _) in DIFFERENCES.items():
        assert (str(code), summary) != (RUNS[name].code, RUNS[name].summary)


@pytest.mark.parametrize(("status", "code"), _STATUS.findall(RECORDING.read_text()))
def test_the_same_statuses_are_well(status: str, code: str) -> None:
    with serving(answering(f"HTTP/1.1 {status} X\r\n\r\n".encode())) as port:
        assert _ours(("http.monitor", "-p", str(port), "127.0.0.1"))[0] == int(code)


def _ours(words: tuple[str, ...]) -> tuple[int, str]:
    """Exit code and first line of the built-in monitor; hosts are words behind the options."""
    name, *arguments = words
    check = find(name)
    assert check

    async def once() -> tuple[int, str]:
        reports = await check(arguments, (), {})
        return status_of(reports), output_of(reports).decode().partition("\n")[0]

    return asyncio.run(once())
