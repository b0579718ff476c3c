# SPDX-License-Identifier: GPL-2.0-or-later
"""What lblc and lblcr remember, as it lies in the maps; time passes by making it older."""

from __future__ import annotations

import time
from collections.abc import Iterable

from bpvs.director.rows import address_of, read_rows
from bpvs.kernel import _abi
from bpvs.kernel.maps import HashMap
from bpvs.lab.wait import until
from bpvs.model import Address
from tests.packets.rig import loaded
from tests.property.scheduling import Trial

_KEY = _abi.CACHE_KEY.select("destination", "generation")
_ENTRY = _abi.CACHED.select("used", "modified", "count", "busy")
_NS_PER_UNIT = 1 << 20  # of clock_ms()
_WORD = 0xFFFFFFFF


def units(seconds: float) -> int:
    """As clock_ms() counts them."""
    return int(seconds * 1e9) // _NS_PER_UNIT


class Cache:
    """The entries of a trial's service."""

    def __init__(self, trial: Trial) -> None:
        self._instance = loaded()
        self._entries = HashMap(self._instance._descriptor("cached"))
        self.members = HashMap(self._instance._descriptor("members"))
        self.row = read_rows(self._instance)[trial.key].row

    @property
    def generation(self) -> int:
        current = self._instance.services.load(self.row, "current")
        at = _abi.SERVICE.offset("plan") + current * _abi.PLAN.size + _abi.PLAN.offset("generation")
        return int.from_bytes(self._instance.services.bytes_at(self.row, at, 4), "little")

    def destinations(self) -> set[Address]:
        """Those that are remembered."""
        return {address_of(destination) for destination, generation in self._keys() if generation == self.generation}

    def servers(self) -> dict[Address, list[Address]]:
        """The servers of each destination, the one that joined last first."""
        found = {}
        for key in self._entries:
            destination, generation = _KEY.unpack(key)
            entry = self._entries[key]
            if generation == self.generation and entry is not None:
                count = _ENTRY.unpack(entry)[2]
                indexes = reversed(range(count))
                found[address_of(destination)] = [self._member(destination, index) for index in indexes]
        return found

    def _member(self, destination: bytes, index: int) -> Address:
        cache = _KEY.pack(destination, self.generation)
        member = self.members[cache + index.to_bytes(4, "little")]
        assert member is not None
        return address_of(member[:16])

    def generations(self) -> set[int]:
        """Of all entries, also of other services."""
        return {generation for _, generation in self._keys()}

    def pass_time(self, seconds: int) -> None:
        """Make every entry so much older."""
        for key in self._entries:
            entry = self._entries[key]
            assert entry is not None
            used, modified, *rest = _ENTRY.unpack(entry)
            older = units(seconds)
            self._entries[key] = _ENTRY.pack((used - older) & _WORD, (modified - older) & _WORD, *rest)

    def fill(self, destinations: Iterable[Address], idle: int) -> None:
        """Entries of one member, not used for so many seconds."""
        then = units(time.clock_gettime(time.CLOCK_MONOTONIC) - idle) & _WORD
        count = 0
        for destination in destinations:
            self._entries[_KEY.pack(destination.mapped, self.generation)] = _ENTRY.pack(then, then, 1, 0)
            count += 1
        self._instance.services.store(self.row, "cached", self._instance.services.load(self.row, "cached") + count)

    def minute(self, age: int) -> None:
        """Have the housekeeper forget now, as it does every minute; `age`: how often it has done so."""
        self._instance.services.store(self.row, "cache_age", age)
        runtime = self._instance.runtime
        now = units(time.clock_gettime(time.CLOCK_MONOTONIC)) - units(1) & _WORD
        runtime.store(0, "forget_at", now)
        until(lambda: runtime.load(0, "forget_at") != now, "the housekeeper forgets")

    def _keys(self) -> list[tuple[bytes, int]]:
        return [_KEY.unpack(key) for key in self._entries]
