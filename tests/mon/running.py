# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon as a process of its own, with a directory for everything that it reads and writes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bpvs.lab.wait import until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PATIENCE = 30.0  # seconds; a busy machine takes its time
_STARTED = re.compile(r"mon server started, clients on port (\d+), traps on port (\d+)")


class Mon:
    """`mon` below `home`: write `scripts` and `mon.cf`, start it, look at its log, ask it, end it.

    Every script finds the file `out` of `home` as $OUT.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.out = home / "out"
        self.out.touch()
        self._log = home / "log"
        self._lives = 0
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("alert.d", "mon.d", "state", "logs"):
            (home / name).mkdir()
        self.script("alert.d/note.alert", 'echo "$MON_ALERTTYPE $4 $2 ${9#-} ${10}" >>$OUT')

    def script(self, name: str, text: str) -> None:
        """An executable below home."""
        path = self.home / name
        path.write_text(f"#!/bin/sh\nOUT={self.out}\nHOME_={self.home}\n{text}\n")
        path.chmod(0o755)

    def configure(self, text: str) -> None:
        """The configuration, behind settings that keep everything below home and every port free."""
        settings = {
            "basedir": self.home,
            "cfbasedir": self.home,
            "statedir": "state",
            "logdir": "logs",
            "alertdir": "alert.d",
            "mondir": "mon.d",
            "pidfile": self.home / "mon.pid",
            "serverbind": "127.0.0.1",
            "trapbind": "127.0.0.1",
            "serverport": 0,
            "trapport": 0,
        }
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        (self.home / "mon.cf").write_text(f"{lines}\n{text}\n")
        (self.home / "auth.cf").write_text("command section\n" + "".join(f"{word}: all\n" for word in _PROTECTED))

    def command(self, *options: str) -> list[str]:
        """The words of the command."""
        return [sys.executable, "-m", "bpvs.mon", "-c", str(self.home / "mon.cf"), *options]

    def start(self, *options: str, within: Sequence[str] = ()) -> None:
        """Begin, by the command `within` if there is one, and wait until it is ready."""
        self._lives += 1
        self._log = self.home / f"log.{self._lives}"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*within, *self.command(*options)], stdin=subprocess.DEVNULL, stderr=log, cwd="/"
            )
        self.wait_until(lambda: self.has_said(_STARTED.pattern) or self._has_ended(), "the start")
        assert not self._has_ended(), self.log

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process
        return self._process.pid

    @property
    def log(self) -> str:
        """All that it has logged in this life."""
        return self._log.read_text()

    def has_said(self, pattern: str) -> bool:
        """Whether such a line is in the log."""
        return bool(re.search(pattern, self.log))

    def wait_for(self, pattern: str, seconds: float = PATIENCE) -> None:
        """Returns when the log has such a line."""
        self.wait_until(lambda: self.has_said(pattern), f"{pattern!r} in the log", seconds)

    def wait_until(self, condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """Returns when it is true; TimeoutError with what was logged until then."""
        try:
            until(condition, what, seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; the log:\n{self.log}") from None

    def notes(self) -> list[str]:
        """The lines that note.alert wrote: kind, group, service, flag, own argument."""
        return [line.rstrip() for line in self.out.read_text().splitlines()]

    @property
    def ports(self) -> tuple[int, int]:
        """Of clients and of traps."""
        clients, traps = _STARTED.findall(self.log)[-1]
        return int(clients), int(traps)

    def ask(self, *commands: str) -> list[str]:
        """The lines of the answers."""
        with socket.create_connection(("127.0.0.1", self.ports[0]), PATIENCE) as client:
            client.sendall("".join(f"{command}\n" for command in (*commands, "quit")).encode())
            return client.makefile("r").read().splitlines()

    def send(self, number: signal.Signals) -> None:
        """Send it."""
        os.kill(self.pid, number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; its exit code."""
        if not self._has_ended():
            self.send(number)
        return self.exit_code()

    def exit_code(self) -> int:
        """Wait until it has ended."""
        assert self._process
        try:
            return self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Leave nothing running."""
        if self._process:
            self.end(signal.SIGKILL)

    def children(self) -> list[tuple[str, str]]:
        """State letter and name of its child processes; Z is a zombie."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                name, rest = re.fullmatch(r"\d+ \((.*)\) (.*)", path.read_text(), re.DOTALL).groups()  # type: ignore[union-attr]
            except OSError:
                continue
            state, parent, *_ = rest.split()
            if int(parent) == self.pid:
                found.append((state, name))
        return found

    def _has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None


_PROTECTED = (
    *("ack", "clear", "disable", "enable", "get", "list", "loadstate", "reload", "reset", "savestate"),
    *("servertime", "set", "start", "stop", "term", "test"),
)
