# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon as a whole: what clients and signals ask of it, its beginning and its end."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import traceback
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

from bpvs.model import BpvsError
from bpvs.model.mon.auth import NOBODY
from bpvs.mon.alerting import Alerting
from bpvs.mon.auth import Authenticator
from bpvs.mon.conductor import Conductor
from bpvs.mon.configuration import load
from bpvs.mon.core.engine import Engine
from bpvs.mon.core.values import Moment
from bpvs.mon.disk import Disk
from bpvs.mon.health.socket import serve_health
from bpvs.mon.logbooks import Logbooks
from bpvs.mon.lookup import Lookup
from bpvs.mon.lvs.forgotten import Forgotten
from bpvs.mon.places import missing_places
from bpvs.mon.protocol.server import Server, allows
from bpvs.mon.rehearsal import wrong_words
from bpvs.mon.remote import Remote
from bpvs.mon.store import Store
from bpvs.mon.traps import Traps
from bpvs.text.mon.auth import parse_auth
from bpvs.text.mon.errors import ConfigError
from bpvs.text.mon.lines import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
    from socket import socket

    from bpvs.model.mon import Key
    from bpvs.model.mon.auth import Auth
    from bpvs.mon.command import CommandLine
    from bpvs.mon.configuration import Setup
    from bpvs.mon.core.values import Effect
    from bpvs.mon.journal import Journal
    from bpvs.mon.readiness import Readiness

LAST_ALERTS = 10.0  # seconds that alerts are given at the end
_TOLD = 100  # sentences of a kind about a configuration; more would push out of the log what matters more
_FIXED = ("serverbind", "serverport", "trapbind", "trapport", "pidfile", "syslog_facility")


class Daemon:
    """What clients and traps act on (`protocol.office.Office`); runs from `run` to a signal or `terminate`.

    room: how many hosts built-in monitors may look at together
    """

    def __init__(self, command: CommandLine, setup: Setup, log: Journal, readiness: Readiness, *, room: int) -> None:
        self.log = log
        self.config_file = command.config
        self.started = time.time()
        self.auth: Auth = NOBODY
        self._command = command
        self._setup = setup
        self._readiness = readiness
        self._scripts = scripts = Lookup(setup.places)
        now = Moment.now()
        self.engine = Engine(setup.config, Random(), now, known_scripts=scripts, stopped=command.is_stopped)  # noqa: S311 - when checks begin is no secret
        self._disk = Disk(log)
        self._alerting = Alerting(scripts, log, timeout=_alert_timeout(setup), over=self._told)
        self._store = Store(setup.places.statedir, self.engine, self._disk, log, self._alerting.telling)
        self._logbooks = Logbooks(setup, self._disk)
        self._conductor = Conductor(
            self.engine,
            scripts,
            alerting=self._alerting,
            store=self._store,
            logbooks=self._logbooks,
            log=log,
            room=room,
            pause=command.tick,
        )
        self._server = Server(self)
        self._traps = Traps(self)
        self._remote: Remote | None = None
        self._use(setup)
        self._resetting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()

    # The life of it

    async def run(self, tcp: Sequence[socket], udp: Sequence[socket], ready: Callable[[], None]) -> None:
        """Serve on these sockets until the end; `ready` is called when all is set up."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unexpected)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._terminated, number)
        self._begin()
        health = await self._serve_health(tcp)
        await self._server.start(tcp)
        await self._traps.start(udp)
        clients, traps = (one[0].getsockname()[1] for one in (tcp, udp))
        self.log("info", f"mon server started, clients on port {clients}, traps on port {traps}")
        self._conductor.perform(self.engine.start(Moment.now()))
        ready()
        self._readiness.ready(self._watching())
        self._tell_alive()
        await self._over.wait()
        if health:
            health.close()
        await self._close()

    def terminate(self) -> None:
        """End, soon."""
        self._over.set()

    def _told(self, key: Key) -> None:
        """Its alerts are over."""
        self._store.changed(key, soon=True)

    def _unexpected(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A mistake of ours somewhere: it is told, and everything else goes on."""
        error = context.get("exception")
        place = traceback.extract_tb(error.__traceback__)[-1:] if error else []
        where = "".join(f" ({frame.name}, line {frame.lineno} of {frame.filename})" for frame in place)
        self.log("err", f"internal error: {context['message']}: {error!r}{where}")

    def _begin(self) -> None:
        self._tell(self._setup)
        try:
            self.reload_auth()
        except ConfigError as error:
            self.log("warning", f"{error}; nobody may use protected commands")
        self._recall()
        try:
            self._store.load(self._command.load, Moment.now())
        except BpvsError as error:
            self.log("err", f"{error}; this state is not taken over")

    async def _close(self) -> None:
        self._readiness.stopping()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().remove_signal_handler(number)  # a second one is obeyed at once
        self._conductor.stop()
        await self._server.close()
        await self._traps.close()
        await self._conductor.runner.close()
        await self._alerting.drain(LAST_ALERTS)
        await self._store.close()
        await self._disk.close()

    def _terminated(self, number: signal.Signals) -> None:
        self.log("info", f"caught {number.name.removeprefix('SIG')} signal, exiting")
        self._over.set()

    def _tell_alive(self) -> None:
        if self._readiness.watchdog:
            self._readiness.alive()
            asyncio.get_running_loop().call_later(self._readiness.watchdog, self._tell_alive)

    async def _serve_health(self, tcp: Sequence[socket]) -> asyncio.Server | None:
        """For `bpvs health`; its name is free if our port was, unless somebody else took it on purpose."""
        try:
            return await serve_health(self, tcp[0].getsockname()[1])
        except OSError as error:
            self.log("warning", f"`bpvs health` cannot ask this daemon: {error.strerror}")
            return None

    # The configuration

    async def reset(self, *, stopped: bool, keep: bool) -> None:
        """Read the configuration again; ConfigError: the old one goes on."""
        async with self._resetting:
            self._readiness.reloading()
            try:
                self.log("info", f"resetting, and re-reading configuration {self.config_file}")
                setup = await asyncio.to_thread(load, self._command)
                self._adopt(setup, stopped=stopped, keep=keep)
            except ConfigError as error:
                self.log("err", f"{error}; the configuration that was read before stays in force")
                raise
            finally:
                self._readiness.ready(self._watching())

    async def check_config(self) -> str | None:
        """What is wrong with the file now, in mon's words; None: nothing."""
        try:
            await asyncio.to_thread(load, self._command)
        except ConfigError as error:
            return f"cf error: {error.legacy}"
        return None

    def _adopt(self, setup: Setup, *, stopped: bool, keep: bool) -> None:
        old, new = self._setup.config.settings, setup.config.settings
        for name in _FIXED:
            if getattr(old, name) != getattr(new, name):
                self.log("warning", f"{name} is another now, and changes when mon is started again")
        self._scripts = Lookup(setup.places)
        self._setup = setup
        self._use(setup)
        self._tell(setup)
        effects = self.engine.reset(setup.config, Moment.now(), keep=keep, stopped=stopped, known_scripts=self._scripts)
        self._recall()
        self._store.forget()
        self._conductor.perform(effects)

    def _use(self, setup: Setup) -> None:
        """Give everybody what the configuration says about them."""
        settings = setup.config.settings
        self._conductor.runner.scripts = self._alerting.scripts = self._scripts
        self._alerting.timeout = _alert_timeout(setup)
        self._store.directory = setup.places.statedir
        self._logbooks.setup = setup
        try:
            self._conductor.forgotten = Forgotten(setup.places.statedir)
        except BpvsError as error:
            self.log("err", str(error))
        self._server.timeout = settings.cltimeout or 0
        self._server.allowed = allows(settings.clientallow)
        if self._remote:
            self._keep(self._remote.finish())
        self._remote = Remote(settings.monremote, self.log) if settings.monremote else None
        self._authenticator = Authenticator(
            settings.authtype or (),
            self.log,
            userfile=setup.places.userfile,
            pamservice=settings.pamservice or "",
        )

    def _tell(self, setup: Setup) -> None:
        """What is odd, and what is missing; directories of our own are made."""
        for level, sentences in (
            ("notice", setup.config.notices),
            ("warning", missing_places(setup.config.settings, setup.places)),
            ("err", self._scripts.missing(setup.config)),
            ("err", wrong_words(setup.config, self._scripts)),
            ("info", self._scripts.built_in(setup.config)),
        ):
            for sentence in sentences[:_TOLD]:
                self.log(level, sentence)
            if len(sentences) > _TOLD:
                self.log(level, f"{len(sentences) - _TOLD} more like these: `mon --check` shows them all")
        for name, path in (("statedir", setup.places.statedir), ("logdir", setup.places.logdir)):
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                self.log("warning", f"{name}: {path} cannot be made: {error.strerror}")

    def _recall(self) -> None:
        """The history that was written, and the beginning of a downtime log."""
        self._logbooks.begin(time.time())
        try:
            past = self._logbooks.past_alerts()
        except OSError as error:
            self.log("err", f"{self._setup.places.historicfile}: cannot be read: {error.strerror}")
            return
        if past:
            self.engine.alert_history.clear()
            self.engine.alert_history.extend(past)

    def _watching(self) -> str:
        return f"watching {len(self.engine.states)} services"

    def _hang_up(self) -> None:
        self._keep(self._reset_quietly())

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        """Let it run by itself; the loop alone would not hold on to it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reset_quietly(self) -> None:
        with suppress(ConfigError):  # the log says it
            await self.reset(stopped=False, keep=True)

    # What clients and traps ask

    def moment(self) -> Moment:
        """Now."""
        return Moment.now()

    def perform(self, effects: Iterable[Effect], key: Key | None = None) -> None:
        """Do what the engine decided at a client's or sender's wish."""
        if key is None:
            self._store.all_changed()
        else:
            self._store.changed(key, soon=True)
        self._conductor.perform(effects)

    async def accepts(self, user: str, password: str, address: str) -> bool:
        """Whether that is the user's password, by `authtype`."""
        return await self._authenticator.accepts(user, password, address)

    def reload_auth(self) -> None:
        """Read auth.cf again; ConfigError when it is broken, and then the old one stays."""
        path = self._setup.places.authfile
        try:
            self.auth = parse_auth(path.read_bytes(), name=path.name)
        except OSError as error:
            raise ConfigError(Place(str(path)), f"cannot be read: {error.strerror}") from error
        for sentence in self.auth.notices:
            self.log("notice", sentence)

    async def save_state(self, kinds: Collection[str]) -> None:
        """Write these kinds of state; BpvsError."""
        await self._store.save(kinds)

    async def load_state(self, kinds: Collection[str]) -> None:
        """Take over these kinds of state; BpvsError, and then nothing has changed."""
        self._store.load(kinds, Moment.now())
        self.perform(())

    def disabled_changed(self) -> None:
        """Write what is disabled."""
        self._store.write_disabled()

    def tell_remote(self, words: Sequence[str]) -> None:
        """Call monremote's program."""
        if self._remote:
            self._remote.tell(words)

    def running(self) -> list[tuple[Key, int]]:
        """The monitors that run now; a built-in one has our own process id."""
        pids = self._conductor.runner.pids()
        return [(key, pids.get(key, os.getpid())) for key in self.engine.running()]

    async def downtime_log(self) -> list[str] | None:
        """The lines of the downtime log; None: there is none. OSError."""
        return await asyncio.to_thread(self._logbooks.downtimes)


def _alert_timeout(setup: Setup) -> float:
    timeout = setup.config.settings.alert_timeout
    assert timeout is not None  # it has a default
    return timeout
