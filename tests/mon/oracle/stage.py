# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays scenarios on both daemons at the same time, all of them side by side, round by round."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bpvs.lab.wait import until
from tests.mon.oracle.facts import Blur, Facts, of_calls, of_status, without_duration
from tests.mon.oracle.scenario import Configure, Pause, Restart, Result, Say, Signal, Trap
from tests.mon.oracle.side import OURS, PATIENCE, REAL, Side, both

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tests.mon.oracle.calls import Call
    from tests.mon.oracle.scenario import Event, Scenario

    Statuses = Mapping[tuple[str, str], Mapping[str, str]]

_NOT_STARTED = 3.0  # seconds in which a daemon that looks at its monitors once a second would have started one
_AS_MANY = 3.0  # seconds in which the alerts of a queue follow each other


class Stage:
    """`played` becomes the facts of every scenario, by side. `alike`: in which both should call the same alerts."""

    def __init__(self, folder: Path, scenarios: Sequence[Scenario], alike: Collection[str]) -> None:
        self._scenarios = scenarios
        self._alike = {group for one in scenarios if one.name in alike for group in one.groups}
        self._services = "\n".join(one.text for one in scenarios)
        self.sides = [Side(name, folder / name, self._services) for name in (REAL, OURS)]
        self.played: dict[str, dict[str, Facts]] = {one.name: {REAL: {}, OURS: {}} for one in scenarios}
        self._rounds: list[float] = []

    def play(self) -> None:
        """Everything, from the daemons' start to their end."""
        try:
            self._next_second()
            for side in self.sides:
                side.start()
            self._settle(0)
            for number in range(max(len(one.rounds) for one in self._scenarios)):
                self._play_round(number)
            self._look_back()
        finally:
            for side in self.sides:
                side.end()

    def _play_round(self, number: int) -> None:
        self._next_second()
        events = [(one, event) for one in self._scenarios if number < len(one.rounds) for event in one.rounds[number]]
        for scenario, event in events:
            for side in self.sides:
                self._act(side, scenario, event, number)
        runs = {_key(one, event) for one, event in events if isinstance(event, Result) and event.is_run}
        both(self.sides, lambda side: side.has_run(runs), f"monitors of round {number + 1}")
        self._send_traps([(one, event) for one, event in events if isinstance(event, Trap)])
        time.sleep(max((_seconds(event) for _, event in events), default=0.0))
        self._settle(number + 1)

    def _send_traps(self, traps: list[tuple[Scenario, Trap]]) -> None:
        if not traps:
            return
        begin = int(self._rounds[-1])
        for side in self.sides:
            side.send_traps([(event.group or one.name, event) for one, event in traps])
        keys = {_key(one, event) for one, event in traps}
        both(self.sides, lambda side: side.has_got(keys, begin), "traps")

    def _next_second(self) -> None:
        """A round begins in a second in which nothing of the last one has happened."""
        last = int(time.time())
        until(lambda: int(time.time()) > last, "the next second")
        self._rounds.append(time.time())

    def _act(self, side: Side, scenario: Scenario, event: Event, number: int) -> None:
        match event:
            case Result():
                group, service = _key(scenario, event)
                side.prepare(group, service, event.script)
                side.trigger(group, service)
            case Say(command):
                answer = "\n".join(sorted(side.ask(scenario.filled(command))))
                told = self.played[scenario.name][side.name]
                told.setdefault(f"round {number + 1} answers", {})[command] = self._blur(side, scenario)(answer)
            case Signal(number=signal, written=name):
                file = side.home / "state" / name
                file.unlink(missing_ok=True)
                side.send(signal)
                until(file.exists, f"{side.name} writing {name}", PATIENCE)
            case Restart(options, state_of):
                self._restart(side, options, state_of)
            case Configure(old, new):
                self._services = self._services.replace(old, new)
                side.configure(self._services)
            case Pause() | Trap():
                pass  # together with the others of this round

    def _restart(self, side: Side, options: tuple[str, ...], state_of: str) -> None:
        side.end()
        (owner,) = (one for one in self.sides if one.name == state_of)
        for file in (owner.home / "state").iterdir():
            (side.home / "state" / file.name).write_bytes(file.read_bytes())
        side.start(*options)

    def _settle(self, number: int) -> None:
        """Wait until both have called whatever they call, and write down what it was; 0 is the start."""
        both(self.sides, Side.is_quiet, f"silence after round {number}")
        with suppress(TimeoutError):  # then they differ, which will be told
            until(self._have_called_alike, "as many calls of alerts", _AS_MANY)
        for side in self.sides:
            status = side.opstatus()
            made = {folder: side.collect(folder) for folder in ("runs", "calls")}
            for one, facts in self._facts(side):
                facts.update(self._seen(side, one, number, made, status))

    def _seen(self, side: Side, one: Scenario, number: int, made: Mapping[str, list[Call]], status: Statuses) -> Facts:
        """What of all that was seen after a round is this scenario's."""
        blur, place = self._blur(side, one), "meanwhile" if one.is_blurred else f"round {number}"
        facts: Facts = {}
        for folder, found in made.items():
            facts |= of_calls(f"{place} {folder[:-1]}", [call for call in found if call.key[0] in one.groups], blur)
        if number == len(one.rounds) or (number < len(one.rounds) and not one.is_blurred):
            lines = [fields for (group, _), fields in status.items() if group in one.groups]
            facts |= of_status(place, lines, blur)
        return facts

    def _have_called_alike(self) -> bool:
        """Whether alerts were called as often on either side, where nothing else is to be expected."""
        numbers = [Counter(call.key for call in side.calls() if call.key[0] in self._alike) for side in self.sides]
        return numbers[0] == numbers[1]

    def _look_back(self) -> None:
        """What the daemons remember of it."""
        for side in self.sides:
            alerts, disabled = side.ask("list alerthist")[:-1], side.ask("list disabled")[:-1]
            outages = side.ask("list dtlog")[:-1]
            for one, facts in self._facts(side):
                blur = self._blur(side, one)
                history = [blur(line.replace("\\20", " ")) for line in alerts if line.split("\\20")[1] in one.groups]
                taken = [line for line in disabled if one.groups & set(line.replace(":", " ").split())]
                ordered = history if one.is_ordered else sorted(history)
                log = [blur(without_duration(line)) for line in outages if line.split()[1] in one.groups]
                for name, lines in (("alerts", ordered), ("disabled", sorted(taken)), ("downtime", log)):
                    facts.setdefault("end", {})[name] = "\n".join(lines)

    def _facts(self, side: Side) -> Iterator[tuple[Scenario, Facts]]:
        for one in self._scenarios:
            yield one, self.played[one.name][side.name]

    def _blur(self, side: Side, scenario: Scenario) -> Blur:
        return Blur(side.home, self._rounds, scenario.is_blurred)


def _key(scenario: Scenario, event: Result | Trap) -> tuple[str, str]:
    if isinstance(event, Trap) and event.lands:
        group, service = event.lands.split()
        return group, service
    return scenario.filled(event.group) or scenario.name, event.service


def _seconds(event: Event) -> float:
    if isinstance(event, Pause):
        return event.seconds
    return _NOT_STARTED if isinstance(event, Result) and not event.is_run else 0.0
