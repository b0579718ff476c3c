# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces: which one a thread is in, and being in another for a while."""

from __future__ import annotations

import os
import sys

# The C module below socket: it is on the start-up path of ipvsadm.
from _socket import AF_INET, SOCK_CLOEXEC, SOCK_DGRAM, SOL_SOCKET, socket

from bpvs.model import DirectorError

NAMED = "/run/netns"
_CURRENT = "/proc/thread-self/ns/net"
_SO_NETNS_COOKIE = 71
_CLONE_NEWNET = 0x40000000


def cookie() -> int:
    """The kernel's number of the calling thread's namespace; never used again until reboot, unlike inode numbers.

    SO_NETNS_COOKIE, Linux 5.14; OSError(ENOPROTOOPT) before.
    """
    probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC)
    try:
        return int.from_bytes(probe.getsockopt(SOL_SOCKET, _SO_NETNS_COOKIE, 8), sys.byteorder)
    finally:
        probe.close()


def inside(namespace: str | int | None, wanted: int | None = None) -> Visit:
    """The calling thread is in `namespace` for a `with` block: a name of `ip netns`, a path or an open file descriptor.

    None: where it is. `wanted`: the cookie that the namespace must have, DirectorError if it is another one. Other
    threads stay where they are; child processes started in the block begin in the namespace, but see the
    mounts of the caller (unlike `ip netns exec`). FileNotFoundError if there is no such name.
    """
    return Visit(namespace, wanted)


class Visit:
    """What `inside` gives to `with`; a class, because contextlib costs start-up time on the ipvsadm path."""

    def __init__(self, namespace: str | int | None, wanted: int | None) -> None:
        self._namespace = namespace
        self._wanted = wanted
        self._home = -1

    def __enter__(self) -> None:
        if self._namespace is None:
            return
        target = self._namespace if isinstance(self._namespace, int) else _open(self._namespace)
        try:
            self._home = _open(_CURRENT)
            enter(target)
        except OSError:
            self._close()
            raise
        finally:
            if target is not self._namespace:
                os.close(target)
        if self._wanted not in (None, cookie()):
            self.__exit__()
            raise DirectorError(f"{self._namespace} is not the network namespace any more that it was")

    def __exit__(self, *_exception: object) -> None:
        if self._namespace is None:
            return
        try:
            enter(self._home)
        finally:
            self._close()

    def _close(self) -> None:
        if self._home >= 0:
            os.close(self._home)
            self._home = -1


def enter(file: int) -> None:
    """Moves the calling thread into the namespace behind an open file descriptor, for good."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(file, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot enter the network namespace: {os.strerror(code)}")


def leave() -> None:
    """Moves the calling thread, for good, into a new namespace, which ends with the last thread that is in it."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot make a network namespace: {os.strerror(code)}")


def _open(namespace: str) -> int:
    return os.open(namespace if "/" in namespace else f"{NAMED}/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
