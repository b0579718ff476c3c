# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for a condition, never for a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_LONGEST_PAUSE = 0.1
# Every deadline of the lab is that many times longer: for machines that are slower than real ones.
PATIENCE = float(os.environ.get("BPVS_PATIENCE", "1"))


def until(condition: Callable[[], T], what: str, seconds: float = 5.0) -> T:
    """The first true value of `condition`; TimeoutError naming `what` if there is none within `seconds`."""
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TimeoutError(f"waited {seconds:g} s in vain: {what}")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
