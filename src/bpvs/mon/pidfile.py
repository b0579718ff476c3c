# SPDX-License-Identifier: GPL-2.0-or-later
"""The pid file: held locked while the daemon lives, so that there is no second one, whatever the number in it says."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from bpvs.model import BpvsError


class AlreadyRunning(BpvsError):
    """Another daemon holds the pid file."""

    text = "another daemon holds the pid file"


class PidFile:
    """A file with our number, from `take` to `release`. What a killed daemon left behind is taken over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def take(self) -> None:
        """Hold the file; AlreadyRunning with the other's number, or OSError."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        pid = os.pread(file, 32, 0).decode(errors="replace").strip()
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_held = _is_mon(pid)
        except BlockingIOError:
            is_held = True
        if is_held:
            os.close(file)
            raise AlreadyRunning(f"{self._path}: another mon runs as process {pid}: end that one first")
        self._file = file

    def write(self) -> None:
        """Write our number, which is another one after a fork."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Remove the file, unless somebody else has put another one there."""
        if self._file < 0:
            return
        try:
            if os.path.samestat(os.stat(self._path), os.fstat(self._file)):
                os.unlink(self._path)
        except OSError:  # gone already, or the directory is not ours any more: the lock's end says it too
            pass
        os.close(self._file)
        self._file = -1


def _is_mon(pid: str) -> bool:
    """Whether it is a living mon that does not lock its file, as mon 1.3.6 does not."""
    try:
        is_other = pid.isdecimal() and int(pid) != os.getpid()  # in a container all are process 1
        return is_other and Path(f"/proc/{pid}/comm").read_text("utf-8").strip() == "mon"
    except OSError:
        return False
