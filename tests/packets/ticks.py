# SPDX-License-Identifier: GPL-2.0-or-later
"""The estimator's ticks, without the waiting: its wheel is turned by hand, a turn every 250 ms."""

from __future__ import annotations

from bpvs.kernel.instance import Instance
from bpvs.lab.wait import until

TURNS = 8
LAST_TURN = TURNS - 1  # of servers in rows 7, 15, ..., and of all services


def turn(instance: Instance, which: int = LAST_TURN) -> None:
    """Let the housekeeper estimate one group of servers, with the last one the services, once."""
    instance.runtime.store(0, "estimate", which)
    until(lambda: instance.runtime.load(0, "estimate") != which, "the estimator's next turn")


def hold(instance: Instance) -> None:
    """Keep the last turn from coming by itself, for more than a second and a half."""
    instance.runtime.store(0, "estimate", 0)


def tick(instance: Instance) -> None:
    """Let it estimate everything once, in its own order."""
    for which in range(TURNS):
        turn(instance, which)
