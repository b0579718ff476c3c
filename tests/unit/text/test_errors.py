# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from bpvs.text.errors import BadOption, NotACommand, UsageError


def test_exit_codes_and_what_restore_does() -> None:
    hint = NotACommand("/sbin/ipvsadm")
    assert str(hint) == "Try `/sbin/ipvsadm -h' or '/sbin/ipvsadm --help' for more information."
    assert [(e.code, e.stops_restore) for e in (UsageError(), hint, BadOption("-q", "unknown option"))] == [
        (2, True),
        (255, True),
        (255, False),
    ]
