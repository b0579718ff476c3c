# SPDX-License-Identifier: GPL-2.0-or-later
"""An engine on a clock of the test's own, with monitors that answer what the test says."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from bpvs.model.mon import AlertKind, Key
from bpvs.mon.core.engine import Engine
from bpvs.mon.core.values import CallAlert, Log, Moment, Outcome, StartMonitor, Trap
from bpvs.text.mon.config import parse
from bpvs.text.mon.histories import Downtime

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpvs.mon.core.values import Effect

EPOCH = 1795377600  # a Sunday evening


class AllScripts:
    """Every program is there, except those named in `missing`."""

    def __init__(self, missing: Iterable[str] = ()) -> None:
        self.missing = set(missing)

    def monitor(self, name: str) -> str | None:
        return None if name in self.missing else f"/mon.d/{name}"

    def alert(self, name: str) -> str | None:
        return None if name in self.missing else f"/alert.d/{name}"


class Stage:
    """Time goes on when the test says so. `effects` is all that came, with the second at which it came."""

    def __init__(self, text: str, *, missing: Iterable[str] = (), seed: int = 1, at: float = 1000.0) -> None:
        self.began = at
        self.now = Moment(at, float(EPOCH))
        self.scripts = AllScripts(missing)
        self.engine = Engine(parse(text), Random(seed), self.now, known_scripts=self.scripts)  # noqa: S311
        self.effects: list[tuple[float, Effect]] = []

    @property
    def seconds(self) -> float:
        return self.now.clock - self.began

    def take(self, effects: list[Effect]) -> list[Effect]:
        self.effects += [(self.seconds, effect) for effect in effects]
        return effects

    def sleep(self, seconds: float) -> None:
        """Time goes on; nothing is looked at."""
        self.now = Moment(self.now.clock + seconds, self.now.epoch + seconds)

    def step_wall_clock(self, seconds: float) -> None:
        self.now = Moment(self.now.clock, self.now.epoch + seconds)

    def tick_until(self, seconds: float) -> list[StartMonitor]:
        """Tick at every due time up to this second; monitors that start stay running."""
        started = []
        end = self.began + seconds
        while (due := self.engine.next_due()) is not None and due <= end:
            self.sleep(max(0.0, due - self.now.clock))
            started += [one for one in self.take(self.engine.tick(self.now)) if isinstance(one, StartMonitor)]
        self.sleep(end - self.now.clock)
        return started

    def tick(self) -> list[StartMonitor]:
        """The monitors that start now."""
        return [one for one in self.take(self.engine.tick(self.now)) if isinstance(one, StartMonitor)]

    def run(self, key: Key) -> None:
        """A run of a monitor begins now, whenever it was planned, unless one is going on."""
        state = self.engine.states[key]
        if not state.is_running:
            self.engine.test_monitor(key, self.now)
            self.tick()
            assert state.is_running, self.engine.why_not_started(key, self.now)

    def result(self, key: Key, status: int, output: str | bytes = "") -> list[Effect]:
        """A run of a monitor ends now; it begins now too, unless one is going on."""
        self.run(key)
        data = output.encode() if isinstance(output, str) else output
        return self.take(self.engine.finished(key, Outcome(status, data), self.now))

    def trap(self, key: Key, status: int, summary: str = "", detail: str = "") -> list[Effect]:
        return self.take(self.engine.trap(Trap(key, status, summary, detail, "192.0.2.1"), self.now))

    def calls(self, *kinds: AlertKind) -> list[CallAlert]:
        """The alerts called so far, of these kinds or of all."""
        return [one for _, one in self.effects if isinstance(one, CallAlert) and (not kinds or one.kind in kinds)]

    def logs(self, level: str) -> list[str]:
        return [one.text for _, one in self.effects if isinstance(one, Log) and one.level == level]

    def downtimes(self) -> list[Downtime]:
        return [one for _, one in self.effects if isinstance(one, Downtime)]

    def timeline(self) -> list[str]:
        """The calls as `second kind`."""
        return [f"{second:g} {one.kind.value}" for second, one in self.effects if isinstance(one, CallAlert)]


def one_service(period: str, service: str = "") -> str:
    """A file with one service, web:http, of two hosts, every 5 s, and one period."""
    return "\n".join(
        [
            "hostgroup web 192.0.2.10 192.0.2.11",
            "",
            "watch web",
            "service http",
            "interval 5s",
            "monitor http.monitor -p 80",
            *service.splitlines(),
            "period wd {Sun-Sat}",
            *period.splitlines(),
            "",
        ]
    )


HTTP = Key("web", "http")
