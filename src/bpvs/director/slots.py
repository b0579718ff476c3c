# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables that schedulers look servers up in; pure.

A table holds places in the service's list, newest server first, or SLOT_EMPTY. Those of sh, dh and mh are filled as the
kernel does it: net/netfilter/ipvs/ip_vs_sh.c, ip_vs_dh.c and ip_vs_mh.c, their functions ..._reassign().
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from math import gcd

from bpvs.director.siphash import hsiphash
from bpvs.kernel._abi import (
    HASH_SLOTS,
    MAGLEV_KEY,
    MAGLEV_SLOTS,
    MAGLEV_STRIDE_KEY,
    SLOT_EMPTY,
    SLOTS_PER_ROW,
)
from bpvs.model import Address, RealServer

_MAGLEV_SHIFT = 6  # log2 of the longest run of slots for the heaviest server, IP_VS_MH_TAB_INDEX / 2

Slots = array  # of places, typecode "H"


def fill_sh(servers: Sequence[RealServer], _kept: Sequence[int]) -> Slots[int]:
    """Each server has as many slots in a row as its weight, one at least, in a circle."""
    return _circle([max(server.weight, 1) for server in servers])


def fill_dh(servers: Sequence[RealServer], _kept: Sequence[int]) -> Slots[int]:
    """Each server has one slot in turn, whatever its weight."""
    return _circle([1] * len(servers))


def fill_mh(servers: Sequence[RealServer], kept: Sequence[int]) -> Slots[int]:
    """Maglev: each server takes free slots of its own permutation, in turn and by weight.

    `kept`: each server's last weight above 0, so that a server of weight 0 stays in its slots; 0 for one that had none.
    """
    slots = _empty(MAGLEV_SLOTS)
    walks = [
        (place, turns, *_permutation(server))
        for place, (server, turns) in enumerate(zip(servers, _turns(kept), strict=True))
        if turns
    ]
    free = MAGLEV_SLOTS if walks else 0
    while free:
        for number, (place, turns, at, skip) in enumerate(walks):
            taken = min(turns, free)
            for _ in range(taken):
                while slots[at] != SLOT_EMPTY:
                    at = (at + skip) % MAGLEV_SLOTS  # noqa: PLW2901 - goes on from there in the next round
                slots[at] = place
            walks[number] = place, turns, at, skip
            free -= taken
    return slots


def order_by_weight(servers: Sequence[RealServer], _kept: Sequence[int]) -> Slots[int]:
    """For fo and ovf: the heaviest server first, of several the newest; none of weight 0."""
    serving = (place for place, server in enumerate(servers) if server.weight)
    return array("H", sorted(serving, key=lambda place: -servers[place].weight))


_FILLERS: dict[str, Callable[[Sequence[RealServer], Sequence[int]], Slots[int]]] = {
    "sh": fill_sh,
    "dh": fill_dh,
    "mh": fill_mh,
    "fo": order_by_weight,
    "ovf": order_by_weight,
}


def pack_slots(scheduler: str, servers: Sequence[RealServer], kept: Sequence[int]) -> bytes:
    """The scheduler's table as rows of `slots`; none for a scheduler without. `kept`: see fill_mh()."""
    filler = _FILLERS.get(scheduler)
    if filler is None:
        return b""
    slots = filler(servers, kept)
    return (slots + _empty(-len(slots) % SLOTS_PER_ROW)).tobytes()


def fold(address: Address) -> int:
    """An address as one number below 2^32: IPv4 in host byte order, IPv6 as the XOR of its four words."""
    number = 0
    for at in range(0, len(address.packed), 4):
        number ^= int.from_bytes(address.packed[at : at + 4])
    return number


def _empty(count: int) -> Slots[int]:
    return array("H", (SLOT_EMPTY,)) * count


def _circle(runs: Iterable[int]) -> Slots[int]:
    """Places in a circle, each so many times in a row."""
    walk = array("H")
    for place, run in enumerate(runs):
        walk.extend([place] * min(run, HASH_SLOTS - len(walk)))
    if not walk:
        return _empty(HASH_SLOTS)
    return (walk * -(-HASH_SLOTS // len(walk)))[:HASH_SLOTS]


def _turns(kept: Sequence[int]) -> list[int]:
    """How many slots each server takes in a row."""
    divisor = gcd(*kept) or 1
    shift = max(0, (max(kept, default=0) // divisor).bit_length() - _MAGLEV_SHIFT)
    return [(weight // divisor >> shift) or int(weight > 0) for weight in kept]


def _permutation(server: RealServer) -> tuple[int, int]:
    """First slot and stride of a server."""
    number = server.port + fold(server.address) & 0xFFFFFFFF
    first, stride = (hsiphash(key, number) for key in (MAGLEV_KEY, MAGLEV_STRIDE_KEY))
    return first % MAGLEV_SLOTS, stride % (MAGLEV_SLOTS - 1) + 1
