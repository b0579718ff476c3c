# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from bpvs.model import InvalidSysctl
from bpvs.model.sysctls import default_sysctls
from bpvs.text.sysctls import parse_assignment, sysctl_lines


@pytest.mark.parametrize(
    ("text", "value"),
    [("vs.drop_packet=3", 3), ("net.ipv4.vs.drop_packet=0", 0), ("drop_packet=+01", 1), ("vs.drop_packet = 2", 2)],
)
def test_assignments(text: str, value: int) -> None:
    assert parse_assignment(text) == ("drop_packet", value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("vs.drop_packet", "`vs.drop_packet' is not NAME=VALUE"),
        ("vs.drop_packet=", "vs.drop_packet is 0 to 3, not `'"),
        ("vs.drop_packet=0x3", "vs.drop_packet is 0 to 3, not `0x3'"),
        ("vs.drop_packet=4", "vs.drop_packet is 0 to 3, not 4"),
        ("vs.sync_threshold=3 50", "vs.sync_threshold cannot be set: there is no daemon"),
        ("vs.nothing=1", "there is no setting vs.nothing: `bpvs sysctl` lists them"),
    ],
)
def test_wrong_ones_are_refused_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InvalidSysctl) as caught:
        parse_assignment(text)
    assert str(caught.value).startswith(sentence)


def test_what_is_saved_is_what_differs_from_its_default_and_reads_back() -> None:
    assert not list(sysctl_lines(default_sysctls()))
    changed = {"sloppy_tcp": 1, "conn_reuse_mode": 0}
    lines = list(sysctl_lines(default_sysctls() | changed))
    assert lines == ["--sysctl vs.conn_reuse_mode=0\n", "--sysctl vs.sloppy_tcp=1\n"]
    assert dict(parse_assignment(line.split()[1]) for line in lines) == changed
