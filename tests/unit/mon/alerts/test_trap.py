# SPDX-License-Identifier: GPL-2.0-or-later
"""trap.alert sends what mon's daemons understand."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from bpvs.model.mon import AlertKind
from bpvs.mon.alerts.calling import AlertFailed
from bpvs.mon.alerts.trap import LONGEST
from bpvs.text.mon.trap import parse_trap

from .conftest import Call


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(10)
        yield made


def place(listener: socket.socket) -> str:
    return f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_failure_and_its_end_are_told_in_mons_own_form(call: Call, listener: socket.socket) -> None:
    words = ("-U", "trapper", "-P", "s3cret", place(listener))
    assert "s3cret" not in call("trap.alert", *words)
    call("trap.alert", *words, kind=AlertKind.UP)
    first, second = (parse_trap(listener.recv(65536)) for _ in range(2))
    assert (first.user, first.password, first.group, first.service) == ("trapper", "s3cret", "WEB", "http")
    assert (first.status, first.summary, first.detail) == (1, "10.0.0.1", "HOST 10.0.0.1: refused\n.hidden\n")
    assert (second.status, second.summary, first.strange) == (0, "10.0.0.1", ())
    assert (first.protocol or 0) >= 0.3807


def test_a_long_story_is_cut_to_a_datagram(call: Call, listener: socket.socket) -> None:
    call("trap.alert", place(listener), stdin=b"10.0.0.1\n" + "ä".encode() * 60_000)
    datagram = listener.recv(1 << 17)
    assert 10_000 < len(datagram) <= LONGEST
    assert set(parse_trap(datagram).detail) == {"ä"}


def test_a_host_that_is_none_is_told(call: Call, listener: socket.socket) -> None:
    with pytest.raises(AlertFailed, match=r"^trap\.alert: no-such\.invalid: "):
        call("trap.alert", "no-such.invalid", place(listener))
    assert parse_trap(listener.recv(65536)).group == "WEB"
    with pytest.raises(AlertFailed, match="is no HOST"):
        call("trap.alert", "a b")
