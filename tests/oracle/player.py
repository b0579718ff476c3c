# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays scenarios in the virtual machine: player.py JOBS SIDE,... NAME,...; a line of JSON for each and side.

Workers take the next scenario from one queue per side. Each keeps one stage: BPVS is verified anew for every
namespace, which takes 10 s here.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from contextlib import ExitStack
from functools import partial

from tests.oracle.play import Play
from tests.oracle.scenarios import SCENARIOS, Scenario
from tests.oracle.side import SIDES, Side
from tests.oracle.stage import Stage


def perform(scenario: Scenario, number: int, side: Side, stage: Stage) -> list[str]:
    """The transcript, with the addresses of `number`; one that broke off ends with the reason."""
    play = Play(number, side, stage)
    for part in (partial(_begin, scenario), _end):
        try:
            part(play)
        except Exception:  # noqa: BLE001 - the reason is the result
            play.say(*traceback.format_exc().splitlines())
    return play.lines


def _begin(scenario: Scenario, play: Play) -> None:
    play.stage.furnish(play.number)
    scenario.script(play)


def _end(play: Play) -> None:
    play.close()
    play.stage.clear(play.number)


class Worker:
    """One process on one CPU with a stage of its own."""

    def __init__(self, side: Side, cpu: int) -> None:
        self.side = side
        os.sched_setaffinity(0, {cpu})

    def run(self, queue: int, names: list[str]) -> None:
        """Plays until the queue is empty."""
        with ExitStack() as stack:
            stage: Stage | None = None
            while index := os.read(queue, 1):
                scenario = SCENARIOS[names[index[0]]]
                began = time.monotonic()
                if scenario.alone:
                    with self._stage() as own:
                        lines = perform(scenario, scenario.number, self.side, own)
                else:
                    stage = stage or stack.enter_context(self._stage())
                    lines = perform(scenario, scenario.number, self.side, stage)
                self._tell(scenario, lines, time.monotonic() - began)

    def _stage(self) -> Stage:
        return Stage(self.side.name == "bpvs")

    def _tell(self, scenario: Scenario, lines: list[str], seconds: float) -> None:
        told = {"side": self.side.name, "scenario": scenario.name, "seconds": round(seconds, 1), "lines": lines}
        os.write(1, f"{json.dumps(told)}\n".encode())


def main(jobs: int, sides: list[str], names: list[str]) -> int:
    """Ends when all workers have; 1 if one of them failed."""
    cpus = sorted(os.sched_getaffinity(0))
    children = []
    for at, name in enumerate(sides):
        side = SIDES[name]()
        reader, writer = os.pipe()
        os.write(writer, bytes(range(len(names))))
        os.close(writer)
        for job in range(jobs):
            child = os.fork()
            if child == 0:
                os._exit(_work(side, cpus[(job + at) % len(cpus)], reader, names))
            children.append(child)
        os.close(reader)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return int(any(codes))


def _work(side: Side, cpu: int, queue: int, names: list[str]) -> int:
    try:
        Worker(side, cpu).run(queue, names)
    except BaseException:  # noqa: BLE001 - the worker ends here
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2].split(","), sys.argv[3].split(",")))
