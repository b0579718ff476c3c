# SPDX-License-Identifier: GPL-2.0-or-later
"""How much of anything strangers may cause."""

from __future__ import annotations

import time
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Bucket:
    """`rate` events a second, and `burst` at once after a pause."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._left = burst
        self._seen = clock()

    def take(self) -> bool:
        """Whether one more is let through."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._seen) * self._rate)
        self._seen = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Buckets:
    """A bucket for each source; of those that were not heard for longest no more than `most` are remembered."""

    def __init__(
        self, rate: float, burst: float, most: int = 1024, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._make = partial(Bucket, rate, burst, clock)
        self._most = most
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, source: str) -> bool:
        """Whether one more of this source is let through."""
        bucket = self._buckets.pop(source, None) or self._make()
        self._buckets[source] = bucket
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return bucket.take()
