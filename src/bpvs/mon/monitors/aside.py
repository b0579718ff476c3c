# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls that may hang in the kernel - a dead disk, an NFS server that is away - without hanging the daemon."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from bpvs.mon.monitors.verdict import Sick

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
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def deliver(settle: Callable[[], None]) -> None:
        if not begun:
            _begun.pop(what, None)
        if not done.done():  # by the deadline
            settle()

    def run() -> None:
        try:
            settle = partial(done.set_result, work())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where it is awaited
            settle = partial(done.set_exception, error)
        begun.remove(now)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(deliver, settle)

    begun.append(now)
    threading.Thread(target=run, name=f"aside {what}", daemon=True).start()
    return await done
