# SPDX-License-Identifier: GPL-2.0-or-later
"""What connections cost in memory: by the maps' own account and by what the machine has left."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bpvs.kernel.instance import Instance

BUDGET = 400  # bytes a connection
PER_CONNECTION = ("flows", "conns", "free_slots")


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes; `maps` by name as the kernel accounts for them, the rest what the machine lost."""

    connections: int
    maps: dict[str, int]
    loading: int
    filling: int

    @property
    def accounted(self) -> float:
        """Bytes of a connection in the maps whose size follows their number."""
        return sum(self.maps[name] for name in PER_CONNECTION) / self.connections

    @property
    def lost(self) -> float:
        """Bytes of a connection that the machine lost from before loading to a full table."""
        return (self.loading + self.filling) / self.connections

    @property
    def is_met(self) -> bool:
        """Whether the maps are within the budget."""
        return self.accounted <= BUDGET


def available() -> int:
    """Bytes of memory that are free or could be at once (MemAvailable)."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        name, value, *_unit = line.split()
        if name == "MemAvailable:":
            return int(value) * 1024
    raise RuntimeError("/proc/meminfo has no MemAvailable")


def of_maps(instance: Instance) -> dict[str, int]:
    """Bytes of every map of the instance (memlock in fdinfo)."""
    return {name: _memlock(instance, name) for name in os.listdir(instance.folder) if not name.startswith("director_")}


def _memlock(instance: Instance, name: str) -> int:
    fd = instance.open(name)
    try:
        lines = Path(f"/proc/self/fdinfo/{fd}").read_text(encoding="ascii").splitlines()
    finally:
        os.close(fd)
    return next(int(line.split()[1]) for line in lines if line.startswith("memlock:"))
