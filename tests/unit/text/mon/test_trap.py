# SPDX-License-Identifier: GPL-2.0-or-later
"""Datagrams of traps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bpvs.text.mon.escape import decode
from bpvs.text.mon.trap import parse_trap, print_trap

# As Mon::Client sent it.
RECORDED = (
    b"pro='0.3807'\nusr='trapper'\npas='trappw'\nspc='0'\nseq='0'\ntyp='trap'\ngrp='trapgrp'\nsvc='disk'\nsta='1'\n"
    b"spc='0'\ntsp='1795378091'\nsum='a\\20b\\27c'\ndtl='d1\\0ad2\\20\\\\\\20back'\n"
)


def test_a_trap_of_the_real_client() -> None:
    trap = parse_trap(RECORDED)
    assert (trap.protocol, trap.user, trap.password) == (0.3807, "trapper", "trappw")
    assert (trap.group, trap.service, trap.status) == ("trapgrp", "disk", 1)
    assert (trap.type, trap.specific) == ("trap", "0")
    assert trap.summary == "a b'c"
    assert trap.detail == "d1\nd2 \\ back"


def test_values_need_no_quotes() -> None:
    trap = parse_trap(b"pro=0.3807\ngrp=g\nsvc=s\nsta=0\nsum=plain text summary\n")
    assert (trap.group, trap.service, trap.status, trap.summary) == ("g", "s", 0, "plain text summary")


def test_what_is_missing_is_empty() -> None:
    trap = parse_trap(b"")
    assert (trap.protocol, trap.status, trap.user, trap.summary, trap.strange) == (None, None, "", "", ())


def test_a_status_that_is_no_number_is_none() -> None:
    assert parse_trap(b"sta='fail'").status is None


def test_strange_lines_are_kept_for_the_log() -> None:
    trap = parse_trap(b"grp='g'\nthis is garbage\nsvc='s'\n")
    assert trap.strange == ("this is garbage",)
    assert (trap.group, trap.service) == ("g", "s")


def test_a_password_is_not_shown() -> None:
    assert "trappw" not in repr(parse_trap(RECORDED))
    assert "trappw" not in str(parse_trap(RECORDED))


@given(st.dictionaries(st.sampled_from(["usr", "grp", "sum", "dtl"]), st.binary().map(decode)))
def test_what_is_sent_is_received(fields: dict[str, str]) -> None:
    trap = parse_trap(print_trap(fields))
    received = {"usr": trap.user, "grp": trap.group, "sum": trap.summary, "dtl": trap.detail}
    assert received == {"usr": "", "grp": "", "sum": "", "dtl": ""} | fields


@given(st.binary())
def test_no_datagram_is_refused(data: bytes) -> None:
    parse_trap(data)
