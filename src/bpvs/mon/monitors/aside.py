# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls that may hang in the kernel - a dead disk, an NFS server that is away - without hanging the daemon."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from bpvs.mon.monitors.verdict import Sick

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_busy: set[str] = set()


async def aside(what: str, work: Callable[[], T]) -> T:
    """What `work` returns or raises, done in a thread of its own that the end of the program does not wait for.

    `what` names what it touches: while one call hangs on that, further ones raise Sick instead of hanging as well.
    """
    if what in _busy:
        raise Sick("an earlier check of it still hangs in the kernel")
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def deliver(settle: Callable[[], None]) -> None:
        if not done.done():  # by the deadline
            settle()

    def run() -> None:
        try:
            settle = partial(done.set_result, work())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where it is awaited
            settle = partial(done.set_exception, error)
        _busy.discard(what)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(deliver, settle)

    _busy.add(what)
    threading.Thread(target=run, name=f"aside {what}", daemon=True).start()
    return await done
