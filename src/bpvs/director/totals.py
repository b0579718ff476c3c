# SPDX-License-Identifier: GPL-2.0-or-later
"""What all services counted together, also those that are gone: rows of `traffic` only ever grow, whoever has them."""

from __future__ import annotations

from bpvs.director.rows import COUNTERS, pack_counters, rates_of, wrap
from bpvs.kernel import _abi
from bpvs.kernel.instance import Instance
from bpvs.model import Counters, Totals

_ZERO_AT = _abi.SETTINGS.offset("zero")
_AVERAGE_AT = _abi.RATES.offset("average")


def read_cpus(instance: Instance) -> list[Counters]:
    """What each possible CPU counted since the instance was loaded; no command sets it to zero."""
    return [Counters(*one) for one in instance.traffic.by_cpu(range(instance.settings.load(0, "dest_high")))]


def read_totals(instance: Instance) -> Totals:
    """Counters since the last zero point, and rates."""
    zero = Counters(*COUNTERS.unpack(instance.settings.bytes_at(0, _ZERO_AT, COUNTERS.size)))
    (average,) = instance.service_rates.read(_abi.TOTAL_ROW, "average")
    return Totals(wrap(_sum(instance) - zero), rates_of(average))


def zero_totals(instance: Instance) -> None:
    """Let the display begin at zero."""
    instance.settings.write(0, pack_counters(_sum(instance)), _ZERO_AT)
    instance.service_rates.write(_abi.TOTAL_ROW, bytes(COUNTERS.size), _AVERAGE_AT)


def _sum(instance: Instance) -> Counters:
    return sum(read_cpus(instance), Counters())
