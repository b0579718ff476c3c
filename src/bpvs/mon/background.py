# SPDX-License-Identifier: GPL-2.0-or-later
"""Daemons of the old kind: the command returns when the daemon is ready, with its errors told, its exit code true."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def go_into_background(output: Path) -> Callable[[], None]:
    """Fork twice into a session without terminal; returns in the daemon only, before any thread or loop exists.

    The command that was called waits until the function that is returned is called, and exits 0, or until the daemon
    has ended without calling it, and exits 1. Until then stderr stays as it was; afterwards stdout and stderr are
    `output`.
    """
    ready_side, daemon_side = os.pipe()
    if os.fork():
        os.close(daemon_side)
        os._exit(0 if os.read(ready_side, 1) else 1)
    os.close(ready_side)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.umask(0o022)

    def ready() -> None:
        _redirect(os.open(os.devnull, os.O_RDONLY), (0,))
        try:
            file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError:  # what is printed there is for nobody in particular
            file = os.open(os.devnull, os.O_WRONLY)
        _redirect(file, (1, 2))
        os.write(daemon_side, b"+")
        os.close(daemon_side)

    return ready


def _redirect(file: int, descriptors: tuple[int, ...]) -> None:
    for descriptor in descriptors:
        os.dup2(file, descriptor)
    os.close(file)
