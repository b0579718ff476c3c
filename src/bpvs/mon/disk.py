# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that the daemon writes while it runs: by one thread, in order, so that no disk delays a check."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Log = Callable[[str, str], None]

_MOST_WAITING = 1000  # writes; the disk hangs


class Disk:
    """Replaces and appends. A file that cannot be written is told of once, until it can be written again."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="disk")
        self._waiting = 0
        self._broken: set[Path] = set()

    def append(self, path: Path, text: str) -> asyncio.Future[None]:
        """Add to the file, which need not be there."""
        return self._submit(path, append, text.encode("utf-8", "surrogateescape"))

    def replace(self, path: Path, data: bytes) -> asyncio.Future[None]:
        """The file holds this, or what it held before: never half of it. OSError of the future: it does not."""
        return self._submit(path, replace, data)

    async def close(self) -> None:
        """Returns when all is written."""
        await asyncio.to_thread(self._thread.shutdown)

    def _submit(self, path: Path, write: Callable[[Path, bytes], None], data: bytes) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        if self._waiting >= _MOST_WAITING:
            result: asyncio.Future[None] = loop.create_future()
            result.set_exception(OSError(f"{_MOST_WAITING} other writes wait for the disk"))
        else:
            self._waiting += 1
            result = loop.run_in_executor(self._thread, write, path, data)
            result.add_done_callback(self._one_less)
        result.add_done_callback(lambda done: self._tell(path, done.exception()))
        return result

    def _one_less(self, _: asyncio.Future[None]) -> None:
        self._waiting -= 1

    def _tell(self, path: Path, error: BaseException | None) -> None:
        if error is None:
            if path in self._broken:
                self._broken.discard(path)
                self._log("notice", f"{path}: is written again")
        elif path not in self._broken:
            self._broken.add(path)
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            self._log("err", f"{path}: cannot be written: {reason}")


def append(path: Path, data: bytes) -> None:
    """Add to the end, in one piece."""
    with path.open("ab", buffering=0) as file:
        file.write(data)


def replace(path: Path, data: bytes) -> None:
    """Write a temporary file beside it, bring it to the disk, and let it take the name."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
