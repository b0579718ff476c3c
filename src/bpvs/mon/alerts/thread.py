# SPDX-License-Identifier: GPL-2.0-or-later
"""Work that may block - a mail server, a disk, a lock - in threads that nobody waits for at the end of the process."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """What `work` returns or raises. Each has a thread of its own: one that hangs holds up no other.

    Cancelled, it leaves the thread to itself.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def deliver(settle: Callable[[], None]) -> None:
        if not done.done():
            settle()

    def run() -> None:
        try:
            settle = partial(done.set_result, work())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where it is awaited
            settle = partial(done.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(deliver, settle)

    threading.Thread(target=run, name="alert", daemon=True).start()
    return await done
