# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces: which one a thread is in, and being in another for a while."""

from __future__ import annotations

import os
import sys

# The C module below socket: it is on the start-up path of ipvsadm.
from _socket import AF_INET, SOCK_CLOEXEC, SOCK_DGRAM, SOL_SOCKET, socket
from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def inside(namespace: str | int) -> Iterator[None]:
    """The calling thread is in `namespace` for the block: a name of `ip netns`, a path or an open file descriptor.

    Other threads stay where they are; child processes started in the block begin in the namespace, but see the
    mounts of the caller (unlike `ip netns exec`). FileNotFoundError if there is no such name.
    """
    home = os.open(_CURRENT, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if isinstance(namespace, int):
            enter(namespace)
        else:
            with _opened(namespace) as file:
                enter(file)
        try:
            yield
        finally:
            enter(home)
    finally:
        os.close(home)


def enter(file: int) -> None:
    """Moves the calling thread into the namespace behind an open file descriptor, for good."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(file, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot enter the network namespace: {os.strerror(code)}")


@contextmanager
def _opened(namespace: str) -> Iterator[int]:
    path = namespace if "/" in namespace else f"{NAMED}/{namespace}"
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield file
    finally:
        os.close(file)
