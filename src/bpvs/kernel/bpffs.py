# SPDX-License-Identifier: GPL-2.0-or-later
"""The folder that holds what must outlive every process: a bpffs of our own below /run.

`ip netns exec` gives a command its own view of mounts, which ends with it. So the folder always means that of the
machine, which PID 1 sees, reached through /proc/1/root, and it is mounted there too; the same from within a chroot.
Where PID 1 lets nobody look (some containers and sandboxes), the eldest ancestor that does stands in for it.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os

from bpvs.model import DirectorError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

ROOT = "/run/bpvs"
UNFINISHED = "_new"  # ends the name of a folder that is being filled or emptied
_BPF_FS_MAGIC = 0xCAFE4A11
_CLONE_NEWNS = 0x00020000


def root() -> str:
    """The path by which this process reaches the folder, whatever mount namespace it is in."""
    eldest = _eldest()
    return ROOT if eldest is None else f"/proc/{eldest}/root{ROOT}"


def is_mounted() -> bool:
    """Whether the folder is a bpffs."""
    return _filesystem(root()) == _BPF_FS_MAGIC


def mount() -> None:
    """Mount the bpffs if it is not there; DirectorError."""
    if is_mounted():
        return
    child = os.fork()
    if not child:
        os._exit(_mount_in_init())
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not is_mounted():
        why = os.strerror(status) if status > 0 else "the helper process died"
        raise DirectorError(
            f"cannot mount a bpffs on {ROOT}: {why}; is CONFIG_BPF_SYSCALL on, and may this user mount?"
        )


class Lock:
    """An exclusive lock on a folder for a `with` block; processes that die release it.

    With `wait` False, BlockingIOError if another process holds it.
    """

    def __init__(self, folder: str, *, wait: bool = True) -> None:
        self._folder = folder
        self._mode = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
        self._fd = -1

    def __enter__(self) -> Self:
        self._fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._fd, self._mode)
        except OSError:
            os.close(self._fd)
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self._fd)

    def is_current(self) -> bool:
        """Whether the folder that was locked is still the one found by its name."""
        try:
            found = os.stat(self._folder)
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(self._fd))


def remove(folder: str) -> None:
    """Unpin everything in a folder and remove it. By its name nobody finds it half empty, whenever we are killed."""
    forget_unfinished(folder)
    os.rename(folder, folder + UNFINISHED)
    forget_unfinished(folder)


def forget_unfinished(folder: str) -> None:
    """Remove what a command was killed over when it filled or emptied a folder of this name."""
    unfinished = folder + UNFINISHED
    if os.path.isdir(unfinished):
        for name in os.listdir(unfinished):
            os.unlink(os.path.join(unfinished, name))
        os.rmdir(unfinished)


def _eldest() -> int | None:
    """PID 1 or the eldest ancestor whose mounts we may look at; None if it sees what we see."""
    for process in reversed(_ancestors()):
        try:
            theirs = os.stat(f"/proc/{process}/ns/mnt"), os.stat(f"/proc/{process}/root")
        except OSError:
            continue
        ours = os.stat("/proc/self/ns/mnt"), os.stat("/")
        return None if all(map(os.path.samestat, theirs, ours)) else process
    return None


def _ancestors() -> list[int]:
    """Parent, grandparent ... and 1."""
    line: list[int] = []
    process = os.getppid()
    while process > 1:
        line.append(process)
        try:
            with open(f"/proc/{process}/stat", "rb") as file:
                process = int(file.read().rpartition(b")")[2].split()[1])
        except OSError:
            break
    return [*line, 1]


def _filesystem(path: str) -> int:
    buffer = (ctypes.c_long * 32)()
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(path), ctypes.byref(buffer)):
        return 0
    return buffer[0] & 0xFFFFFFFF


def _mount_in_init() -> int:
    """Runs in a child of its own; the exit status is an errno."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        eldest = _eldest()
        if eldest is not None:
            fd = os.open(f"/proc/{eldest}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            if libc.setns(fd, _CLONE_NEWNS):
                return ctypes.get_errno()
        os.makedirs(ROOT, mode=0o700, exist_ok=True)
        # Two first commands at once would mount twice, and one of them would lose what it pins below the other's.
        fcntl.flock(os.open(os.path.dirname(ROOT), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), fcntl.LOCK_EX)
        if _filesystem(ROOT) != _BPF_FS_MAGIC and libc.mount(b"bpvs", os.fsencode(ROOT), b"bpf", 0, b"mode=0700"):
            return ctypes.get_errno()
    except OSError as error:
        return error.errno or errno.EIO
    return 0
