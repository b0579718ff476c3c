# SPDX-License-Identifier: GPL-2.0-or-later
"""File descriptors: how many the daemon may have, and which it had before it began."""

from __future__ import annotations

import os
import resource
from contextlib import suppress

_WANTED = 65536
_RESERVED = 2048  # clients, alerts, files, and the three descriptors that starting a program takes
_ORIGINAL = resource.getrlimit(resource.RLIMIT_NOFILE)


def raise_limit() -> int:
    """Allow ourselves many; returns how many of them monitors may use for connections."""
    _, hard = _ORIGINAL
    most = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    most = max(most, _ORIGINAL[0])
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(most - _RESERVED, most // 4)


def restore_limit(pid: int) -> None:
    """Give a child what we were given: programs that count on less than 1,024, and those that close all, still work."""
    if resource.getrlimit(resource.RLIMIT_NOFILE) != _ORIGINAL:
        with suppress(OSError):  # it has ended, or is another user's by set-user-ID
            resource.prlimit(pid, resource.RLIMIT_NOFILE, _ORIGINAL)


def keep_own() -> None:
    """Fill 0, 1 and 2 if they are closed, and let no child inherit what we were given beyond them."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with suppress(OSError):  # that of the listing itself
                os.set_inheritable(int(name), False)
