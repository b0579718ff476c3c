# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from bpvs.model import FLAG_1, FLAG_2, FLAG_3
from bpvs.text.errors import UsageError
from bpvs.text.flags import format_flags, parse_flags


@pytest.mark.parametrize(
    ("text", "scheduler", "flags", "printed"),
    [
        ("", "rr", 0, ""),
        ("flag-1,flag-3", "rr", FLAG_1 | FLAG_3, "flag-1,flag-3"),
        ("sh-port,,sh-fallback", "sh", FLAG_1 | FLAG_2, "sh-fallback,sh-port"),
        ("mh-port", "mh", FLAG_2, "mh-port"),
        ("flag-1", "sh", FLAG_1, "sh-fallback"),
        ("flag-3", "sh", FLAG_3, ""),
    ],
)
def test_flags(text: str, scheduler: str, flags: int, printed: str) -> None:
    assert parse_flags(text, scheduler) == flags
    assert format_flags(flags, scheduler) == printed


@pytest.mark.parametrize(
    ("text", "scheduler", "message"),
    [
        ("sh-port", "rr", "incompatible scheduler flag `sh-port'"),
        ("flag-1,mh-port", "sh", "incompatible scheduler flag `mh-port'"),
        ("bogus", "sh", "invalid scheduler flag `bogus'"),
        (" sh-port", "sh", "invalid scheduler flag ` sh-port'"),
        (",", "sh", "invalid scheduler flag `,'"),
    ],
)
def test_wrong_flags(text: str, scheduler: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_flags(text, scheduler)
    assert str(caught.value) == message
