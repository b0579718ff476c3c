# SPDX-License-Identifier: GPL-2.0-or-later
"""Consecutive rows for the lists that plans point into: real servers, local addresses.

A packet on its way may still read what was in force a moment ago. So lists of both plans of every service row count as
taken, also of deleted services; only when there is no other room are the old ones used, after waiting (membarrier(2))
until no program can look at them any more.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable, Iterator

from bpvs.director.rows import PLAN_AT
from bpvs.kernel import _abi
from bpvs.kernel.instance import Instance
from bpvs.model import DirectorError

_MEMBARRIER = {"x86_64": 324}
_MEMBARRIER_GENERIC = 283
_MEMBARRIER_CMD_GLOBAL = 1


def wait_for_packets() -> None:
    """Return when every program that was running has ended (an RCU grace period)."""
    number = _MEMBARRIER.get(os.uname().machine, _MEMBARRIER_GENERIC)
    if ctypes.CDLL(None, use_errno=True).syscall(number, _MEMBARRIER_CMD_GLOBAL, 0, 0):
        raise DirectorError("membarrier(2) failed: is CONFIG_MEMBARRIER on?")


class Lists:
    """Free rows of one map; `fields`: the plan's first row of a list, and the counts that add up to its length."""

    def __init__(self, instance: Instance, limit: int, what: str, fields: tuple[str, ...]) -> None:
        self._instance = instance
        self._limit = limit
        self._what = what
        self._range: struct.Struct = _abi.PLAN.select(*fields)
        self._next = max((first + count for first, count in self._all()), default=0)

    def rows(self, count: int, in_force: Iterable[int]) -> int:
        """The first of `count` consecutive rows; `in_force`: the rows of `services` whose lists must stay."""
        if self._next + count > self._limit:
            return self._gap(count, in_force)
        first = self._next
        self._next += count
        return first

    def _all(self) -> Iterator[tuple[int, int]]:
        for row in range(self._instance.settings.load(0, "service_high")):
            for number in range(2):
                yield self._read(row, number)

    def _read(self, row: int, number: int) -> tuple[int, int]:
        content = self._instance.services.bytes_at(row, PLAN_AT + number * _abi.PLAN.size, _abi.PLAN.size)
        first, *counts = self._range.unpack(content)
        return first, sum(counts)

    def _gap(self, count: int, in_force: Iterable[int]) -> int:
        """Room among the lists in force, once nobody reads the others."""
        wait_for_packets()
        services = self._instance.services
        at = 0
        for first, length in sorted(self._read(row, services.load(row, "current") & 1) for row in in_force):
            if length and first - at >= count:
                break
            at = max(at, first + length)
        if at + count > self._limit:
            raise DirectorError(
                f"no room for a list of {count} {self._what}: all lists of an instance hold {self._limit}"
            )
        return at
