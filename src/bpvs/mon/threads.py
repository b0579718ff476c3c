# SPDX-License-Identifier: GPL-2.0-or-later
"""Work that blocks, in a thread that nobody waits for at the end of the program."""

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
    """What `work` returns or raises. Cancelled, it goes on by itself, and its result is lost.

    The threads of an executor are waited for when the program ends, however long a PAM module or a name server takes.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(action: Callable[[], None]) -> None:
        if not done.done():
            action()

    def run() -> None:
        try:
            action = partial(done.set_result, work())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where it is awaited
            action = partial(done.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, action)

    threading.Thread(target=run, daemon=True).start()
    return await done
