# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of `list opstatus`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bpvs.text.mon.escape import decode
from bpvs.text.mon.opstatus import parse_line, print_line

LINE = (
    r"group=WEB service=http opstatus=0 exitval=1 last_traphost= monitor=ctl.monitor\20-u\20\22/a\20b\22"
    r" last_summary=w1.example\20w2.example last_detail=\20\27x\27\20back\\slash\09tab\0a\c3\bc\20last\20line\0a"
)


def test_a_line_of_mon_is_read_and_written_again() -> None:
    fields = parse_line(LINE)
    assert fields["monitor"] == 'ctl.monitor -u "/a b"'
    assert fields["last_detail"] == " 'x' back\\slash\ttab\nü last line\n"
    assert fields["last_traphost"] == ""
    assert print_line(fields) == LINE


def test_hosts_keep_their_single_backslash() -> None:
    assert print_line({"exclude_hosts": "a\\b"}) == "exclude_hosts=a\\b"


@given(st.dictionaries(st.sampled_from(["last_summary", "last_detail", "ackcomment"]), st.binary().map(decode)))
def test_what_people_and_programs_wrote_comes_back(fields: dict[str, str]) -> None:
    assert parse_line(print_line(fields)) == fields


@given(st.text())
def test_no_line_is_refused(line: str) -> None:
    parse_line(line)
