# SPDX-License-Identifier: GPL-2.0-or-later
"""What is remembered when a service's list of servers changes; pure.

The data path moves plan.turn (bpf/include/bpvs/sched/); a changed list gets a new plan, whose turn is worked out here
as the kernel's schedulers do it in their add, delete and update callbacks (net/netfilter/ipvs/ip_vs_rr.c, ip_vs_wrr.c).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import gcd

from bpvs.model import Address, RealServer
from bpvs.model.table import Step
from bpvs.model.value import dataclass

ServerKey = tuple[Address, int]
_LOW = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Turn:
    """A plan's memory: `turn` as the data path reads it; `step` and `top` of wrr, else 0."""

    turn: int = 0
    step: int = 0
    top: int = 0


def carry(scheduler: str, old: Turn, before: Sequence[RealServer], steps: Iterable[Step]) -> Turn:
    """The memory after `steps`, taken from `before` (newest first) whose memory was `old`.

    `scheduler` is the one in force afterwards; a step ("scheduler", None) makes it start from scratch.
    """
    carrier = _CARRIERS.get(scheduler)
    return carrier(old, before, steps) if carrier else Turn()


def kept_weights(before: Mapping[ServerKey, int], steps: Iterable[Step]) -> dict[ServerKey, int]:
    """Each server's last weight above 0, or the one that it was added with; mh goes by it.

    Source: net/netfilter/ipvs/ip_vs_ctl.c, __ip_vs_update_dest, dest->last_weight.
    """
    kept = dict(before)
    for what, server in steps:
        if server is not None and (server.weight or what == "add"):
            kept[server_key(server)] = server.weight
    return kept


def _carry_rr(old: Turn, before: Sequence[RealServer], steps: Iterable[Step]) -> Turn:
    """turn = place of the server used last, from 1; deleting that one steps back to its predecessor."""
    order = [server_key(server) for server in reversed(before)]
    last = server_key(before[old.turn - 1]) if 0 < old.turn <= len(before) else None
    for what, server in steps:
        if what == "scheduler" or server is None:
            last = None
        elif what == "add":
            order.append(server_key(server))
        elif what == "delete":
            place = order.index(server_key(server))
            del order[place]
            if last == server_key(server):
                last = order[place] if place < len(order) else None
    return Turn(turn=0 if last is None else len(order) - order.index(last))


def _carry_wrr(old: Turn, before: Sequence[RealServer], steps: Iterable[Step]) -> Turn:
    """turn = threshold << 32 | place; every change goes back to the head and keeps the threshold where it fits."""
    weights = {server_key(server): server.weight for server in before}
    step, heaviest, threshold = old.step, max(weights.values(), default=0), old.turn >> 32
    place = old.turn & _LOW
    for what, server in steps:
        place = 0
        if what == "scheduler" or server is None:
            step, heaviest = _gcd(weights.values()), max(weights.values(), default=0)
            threshold = heaviest - (step - 1) if weights else 0
            continue
        if what == "add":
            weights[server_key(server)] = server.weight
            step = gcd(step, server.weight) if heaviest else server.weight or 1
            heaviest = max(heaviest, server.weight)
        else:
            weights.pop(server_key(server)) if what == "delete" else weights.update({server_key(server): server.weight})
            step, heaviest = _gcd(weights.values()), max(weights.values(), default=0)
        threshold = _fit(threshold, step, heaviest - (step - 1))
    return Turn(turn=threshold << 32 | place, step=step, top=heaviest - (step - 1) if heaviest else 0)


def _fit(threshold: int, step: int, top: int) -> int:
    if threshold > top or not threshold:
        return top
    return threshold // step * step + 1 if step > 1 else threshold


def _gcd(weights: Iterable[int]) -> int:
    return gcd(*weights) or 1


def server_key(server: RealServer) -> ServerKey:
    """What makes a server unique in its service."""
    return server.address, server.port


_CARRIERS = {"rr": _carry_rr, "wrr": _carry_wrr}
