# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls that may hang in the kernel - a dead disk, an NFS server that is away - without hanging the daemon."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from bpvs.mon.monitors.verdict import Sick
from bpvs.mon.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_PATIENCE = 2.0  # seconds after which a call hangs

_begun: dict[str, list[float]] = {}  # by what it touches: when each call that lasts began


async def aside(what: str, work: Callable[[], T]) -> T:
    """What `work` returns or raises, done in a thread of its own that the end of the program does not wait for.

    `what` names what it touches: while one call hangs on that, further ones raise Sick instead of hanging as well.
    """
    now = time.monotonic()
    begun = _begun.setdefault(what, [])
    if begun and now - begun[0] > _PATIENCE:
        raise Sick(f"an earlier check of it hangs in the kernel for {now - begun[0]:.0f} s")

    def run() -> T:
        try:
            return work()
        finally:
            begun.remove(now)

    begun.append(now)
    try:
        return await in_thread(run)
    finally:
        if not begun:
            _begun.pop(what, None)
