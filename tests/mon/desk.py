# SPDX-License-Identifier: GPL-2.0-or-later
"""The protocol's office without a daemon around it: a real engine and real files, on a clock of the test's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bpvs.model.mon import Key
from bpvs.model.mon.auth import Auth
from bpvs.mon.auth import Authenticator
from bpvs.mon.core.values import Moment
from bpvs.mon.saved import saved_of, state_of
from bpvs.text.mon.auth import parse_auth
from bpvs.text.mon.config import parse
from bpvs.text.mon.errors import ConfigError
from bpvs.text.mon.histories import Downtime, print_downtime
from bpvs.text.mon.state import Disabled, parse_disabled, parse_opstatus, print_disabled, print_opstatus
from tests.unit.mon.core.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from bpvs.mon.core.engine import Engine
    from bpvs.mon.core.values import Effect


class Desk:
    """An Office. `folder` holds mon.cf, auth.cf and the state files; the test may change any of them."""

    def __init__(self, folder: Path, *, authtype: Sequence[str] = ("trustlocal",)) -> None:
        self.folder = folder
        self.stage = Stage((folder / "mon.cf").read_text())
        self.logs: list[tuple[str, str]] = []
        self.told: list[list[str]] = []
        self.downtimes: list[str] | None = []
        self.is_ending = False
        self.saves = 0
        self.monitors: list[tuple[Key, int]] = []
        self.authenticator = Authenticator(authtype, self.log, userfile=folder / "userfile")
        self._auth = Auth({}, {})
        if (folder / "auth.cf").exists():
            self.reload_auth()

    @property
    def engine(self) -> Engine:
        return self.stage.engine

    @property
    def auth(self) -> Auth:
        return self._auth

    def moment(self) -> Moment:
        return self.stage.now

    def log(self, level: str, text: str) -> None:
        self.logs.append((level, text))

    def perform(self, effects: Iterable[Effect], key: Key | None = None) -> None:
        for one in self.stage.take(list(effects)):
            if isinstance(one, Downtime) and self.downtimes is not None:
                self.downtimes.append(print_downtime(one))

    def result(self, key: Key, status: int, output: str) -> None:
        """A monitor ran now."""
        engine, now = self.engine, self.stage.now
        if not engine.states[key].is_running:
            engine.test_monitor(key, now)
            engine.tick(now)
        self.perform(self.stage.result(key, status, output))

    async def accepts(self, user: str, password: str, address: str) -> bool:
        return await self.authenticator.accepts(user, password, address)

    async def reset(self, *, stopped: bool, keep: bool) -> None:
        config = parse((self.folder / "mon.cf").read_bytes())
        self.perform(self.engine.reset(config, self.stage.now, keep=keep, stopped=stopped))

    def reload_auth(self) -> None:
        self._auth = parse_auth((self.folder / "auth.cf").read_bytes())

    async def check_config(self) -> str | None:
        try:
            parse((self.folder / "mon.cf").read_bytes())
        except ConfigError as error:
            return f"cf error: {error.legacy}"
        return None

    async def save_state(self, kinds: Collection[str]) -> None:
        engine = self.engine
        if "opstatus" in kinds:
            (self.folder / "opstatus").write_text(print_opstatus(map(saved_of, engine.states.values())))
        if "disabled" in kinds:
            hosts = dict.fromkeys(host for _, host in sorted(engine.disabled_hosts))
            services = tuple(key for key, state in engine.states.items() if state.is_disabled)
            disabled = Disabled(tuple(hosts), tuple(sorted(engine.disabled_watches)), services)
            (self.folder / "disabled").write_text(print_disabled(disabled))

    async def load_state(self, kinds: Collection[str]) -> None:
        engine, now = self.engine, self.stage.now
        if "opstatus" in kinds:
            saved = parse_opstatus(self._read("opstatus"))
            engine.restore(map(state_of, saved), now)
        if "disabled" in kinds:
            disabled = parse_disabled(self._read("disabled"))
            engine.disable_hosts(disabled.hosts)
            for group in disabled.watches:
                engine.disable_watch(group)
            for key in disabled.services:
                engine.disable_service(key, "", now)

    def _read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def disabled_changed(self) -> None:
        self.saves += 1

    def tell_remote(self, words: Sequence[str]) -> None:
        self.told.append(list(words))

    def running(self) -> Sequence[tuple[Key, int]]:
        return self.monitors

    async def downtime_log(self) -> Sequence[str] | None:
        return self.downtimes

    def terminate(self) -> None:
        self.is_ending = True
