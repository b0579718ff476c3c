# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import inspect

from bpvs.director import Director
from bpvs.testing import MemoryDirector

METHODS = ("table", "change", "status", "connections", "sysctls", "timeouts")


def test_both_directors_offer_what_the_command_needs() -> None:
    for kind in (Director, MemoryDirector):
        for name in METHODS:
            assert list(inspect.signature(getattr(kind, name)).parameters) == ["self"], (kind, name)
