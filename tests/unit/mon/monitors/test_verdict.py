# SPDX-License-Identifier: GPL-2.0-or-later
"""Reasons and times of a check."""

from __future__ import annotations

import errno
import socket

import pytest

from bpvs.mon.monitors.report import HostReport, Phase, output_of, status_of
from bpvs.mon.monitors.verdict import Stopwatch, printable, sick


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ECONNREFUSED, "x"), "connection refused"),
        (OSError(errno.ETIMEDOUT, "x"), "no answer"),
        (OSError(errno.EHOSTUNREACH, "x"), "no route to host"),
        (OSError(errno.EMFILE, "x"), "this process has too many files open"),
        (OSError(errno.EACCES, "x"), "permission denied"),
        (socket.gaierror(socket.EAI_NONAME, "x"), "name unknown"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "its name's servers do not answer"),
    ],
)
def test_errors_of_the_system(error: OSError, sentence: str) -> None:
    assert str(sick(error)) == sentence


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"220 ready\r\n", "220 ready"),
        (b"a\x1b[2Jb\x07\x00c", "a?[2Jb??c"),
        (b"a\nb", "a?b"),
        ("gr\u00fc\u00df".encode(), "gr\u00fc\u00df"),
        (b"\xff", "\ufffd"),
        (b"x" * 200, "x" * 200),
        (b"x" * 201, "x" * 200 + "..."),
        (b"", ""),
    ],
)
def test_a_servers_words(data: bytes, text: str) -> None:
    assert printable(data) == text


def test_phases_follow_one_another() -> None:
    watch = Stopwatch()
    for name in ("resolve", "connect", "answer"):
        watch.begin(name)
    phases = watch.phases("not finished")
    assert [(phase.name, phase.note) for phase in phases] == [
        ("resolve", ""),
        ("connect", ""),
        ("answer", "not finished"),
    ]
    assert all(phase.seconds >= 0 for phase in phases)
    assert watch.phases() == phases


def test_no_phase_at_all() -> None:
    assert Stopwatch().phases("failed") == ()


def test_the_output_is_mons() -> None:
    reports = [
        HostReport("b", False, "connection refused", (Phase("connect", 0.0005),)),
        HostReport("c", True, "200 OK", (Phase("connect", 0.01), Phase("answer", 0.002)), "HTTP/1.1 200 OK\nA: b"),
        HostReport("a", False, "name unknown"),
    ]
    assert output_of(reports).decode() == (
        "a b\n\nHOST b: connection refused (0.5 ms)\nHOST c: 200 OK (12.0 ms)\nHTTP/1.1 200 OK\nA: b\n"
        "HOST a: name unknown\n"
    )
    assert (status_of(reports), status_of(reports[1:2]), status_of([])) == (1, 0, 0)
