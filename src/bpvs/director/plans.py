# SPDX-License-Identifier: GPL-2.0-or-later
"""A service's own settings as its plan has them."""

from __future__ import annotations

from bpvs.kernel import _abi
from bpvs.model import Family, ServiceKey, VirtualService
from bpvs.model.service import FLAG_1, FLAG_2, FLAG_3, IPV6_FULL_MASK

_SCHEDULER_NAMES = {number: name.removeprefix("SCHED_").lower() for number, name in _abi.SCHEDULER_NAMES.items()}
SCHEDULERS = {name: number for number, name in _SCHEDULER_NAMES.items()}
_FLAGS = {FLAG_1: _abi.PLAN_FLAG_1, FLAG_2: _abi.PLAN_FLAG_2, FLAG_3: _abi.PLAN_FLAG_3}
_ONES = b"\xff"
ENGINE = "sip"  # the only one that there is


def plan_fields(service: VirtualService) -> dict[str, int | bytes]:
    """scheduler, flags, timeout_s and mask of struct plan; the flags that the servers decide are not among them."""
    flags = sum(flag for bit, flag in _FLAGS.items() if service.flags & bit)
    flags |= _abi.PLAN_SYNPROXY if service.synproxy else 0
    flags |= _abi.PLAN_OPS if service.ops else 0
    flags |= _abi.PLAN_SIP if service.engine else 0
    return {
        "scheduler": SCHEDULERS[service.scheduler],
        "flags": flags,
        "timeout_s": service.persistence or 0,
        "mask": _mask(service),
    }


def service_of(key: ServiceKey, scheduler: int, flags: int, timeout_s: int, mask: bytes) -> VirtualService:
    """The service with the settings of a plan."""
    return VirtualService(
        key,
        _SCHEDULER_NAMES[scheduler],
        flags=sum(bit for bit, flag in _FLAGS.items() if flags & flag),
        persistence=timeout_s or None,
        netmask=_netmask(key.family, mask),
        engine=ENGINE if flags & _abi.PLAN_SIP else "",
        ops=bool(flags & _abi.PLAN_OPS),
        synproxy=bool(flags & _abi.PLAN_SYNPROXY),
    )


def _mask(service: VirtualService) -> bytes:
    if service.key.family is Family.IPV4:
        return 12 * _ONES + service.mask.to_bytes(4, "big")
    return ((1 << IPV6_FULL_MASK) - (1 << IPV6_FULL_MASK - service.mask)).to_bytes(16, "big")


def _netmask(family: Family, mask: bytes) -> int | None:
    if mask == 16 * _ONES:
        return None
    number = int.from_bytes(mask, "big")
    return number & 0xFFFFFFFF if family is Family.IPV4 else number.bit_count()
