# SPDX-License-Identifier: GPL-2.0-or-later
"""One of the two daemons, with a directory of its own for everything that it reads and writes."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bpvs.lab.wait import until
from bpvs.text.mon.opstatus import parse_line
from tests.mon.oracle.calls import Call, read_call
from tests.mon.real import Program, free_port, perl_code, real_program

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.mon.oracle.scenario import Trap

REAL, OURS = "real", "ours"
PATIENCE = 60.0  # seconds; a busy machine takes its time
_FINAL = re.compile(r"\d{3} ")
_RECORDER = Path(__file__).with_name("recorder.pl")
_PROTECTED = "ack clear disable enable get list loadstate reload reset savestate servertime set start stop term test"
_SEND_TRAPS = """\
use Mon::Client;
my ($port, @words) = @ARGV;
my $client = Mon::Client->new(host => "127.0.0.1", port => $port);
while (my @trap = splice(@words, 0, 12)) {
    $client->send_trap(@trap) or die $client->error;
}
"""


class Side:
    """`name` is REAL or OURS. Events are sent to it by name of group and service; what it did lies in files."""

    def __init__(self, name: str, home: Path, services: str) -> None:
        self.name = name
        self.home = home
        self._services = services
        self._process: subprocess.Popen[bytes] | None = None
        self._client: socket.socket | None = None
        self._seen: set[Path] = set()
        for folder in ("alert.d", "mon.d", "state", "logs", "control", "calls", "runs"):
            (home / folder).mkdir(parents=True)
        for script in ("alert.d/rec.alert", "alert.d/other.alert", "mon.d/ctl.monitor"):
            shutil.copy(_RECORDER, home / script)
            (home / script).chmod(0o755)
        (home / "mon.d/true.monitor").symlink_to("/bin/true")
        trusted = "".join(f"{word}: all\n" for word in _PROTECTED.split())
        (home / "auth.cf").write_text(f"command section\n{trusted}trap section\n127.0.0.1 * *\n")

    # Its life

    def start(self, *options: str) -> None:
        """Begin, on a port that was free a moment ago; return when it answers."""
        for _ in range(5):
            self._port = free_port()
            self.configure(self._services)
            program = self._program()
            with (self.home / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [*program.argv, "-c", str(self.home / "mon.cf"), *options],
                    env={**program.env, "ORACLE": str(self.home)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.home,
                )
            if until(lambda: self._connects() or self._has_ended(), f"the start of {self.name}", PATIENCE) is True:
                self.ask("login tester anything")
                return
        raise AssertionError((self.home / "log").read_text())

    def configure(self, services: str) -> None:
        """The configuration file, behind settings that keep everything below home."""
        self._services = services
        settings = {
            "basedir": self.home,
            "cfbasedir": self.home,
            "statedir": self.home / "state",
            "logdir": self.home / "logs",
            "alertdir": self.home / "alert.d",
            "mondir": self.home / "mon.d",
            "pidfile": self.home / "mon.pid",
            "serverbind": "127.0.0.1",
            "trapbind": "127.0.0.1",
            "serverport": self._port,
            "trapport": self._port,
            "authtype": "trustlocal",
            "cltimeout": "1h",
            "histlength": 10000,
            "dtlogging": "yes",
        }
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        (self.home / "mon.cf").write_text(f"{lines}\n{services}")

    def _program(self) -> Program:
        if self.name == REAL:
            return real_program("mon")
        return Program((sys.executable, "-m", "bpvs.mon"), dict(os.environ))

    def _connects(self) -> bool:
        try:
            self._client = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
        except ConnectionRefusedError:
            return False
        return True

    def _has_ended(self) -> str:
        return "ended" if self._process is None or self._process.poll() is not None else ""

    def send(self, number: int) -> None:
        """A signal."""
        assert self._process
        self._process.send_signal(number)

    def end(self) -> None:
        """Leave nothing running."""
        if self._client:
            self._client.close()
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            finally:
                self._process.kill()
                self._process.wait()
                self._process = None

    # Events

    def ask(self, command: str) -> list[str]:
        """The lines of the answer; the last one is the verdict."""
        assert self._client
        self._client.sendall(f"{command}\n".encode())
        data = b""
        while not data.endswith(b"\n") or not _FINAL.match(data.decode().splitlines()[-1]):
            more = self._client.recv(65536)
            assert more, f"{self.name} closed the connection after {command!r}"
            data += more
        return data.decode().splitlines()

    def prepare(self, group: str, service: str, script: str) -> None:
        """The service's monitor does as this shell script does."""
        (self.home / "control" / f"{group}.{service}").write_text(f"{script}\n")

    def trigger(self, group: str, service: str) -> None:
        """The service's monitor is run as soon as the daemon can."""
        self.ask(f"test monitor {group} {service}")

    def send_traps(self, traps: list[tuple[str, Trap]]) -> None:
        """Traps by mon's own library, each with the name of its group."""
        program = perl_code(_SEND_TRAPS)
        words = [word for group, trap in traps for pair in _told(group, trap) for word in pair]
        subprocess.run([*program.argv, str(self._port), *words], env=program.env, check=True)

    # What it did

    def opstatus(self) -> dict[tuple[str, str], dict[str, str]]:
        """Every service's fields."""
        fields = map(parse_line, self.ask("list opstatus")[:-1])
        return {(one["group"], one["service"]): one for one in fields}

    def calls(self, folder: str = "calls") -> list[Call]:
        """How alerts (or monitors, `runs`) were called since they were collected last."""
        return [read_call(path) for path in self._new(folder)]

    def collect(self, folder: str) -> list[Call]:
        """The same; it is collected then."""
        new = self._new(folder)
        self._seen |= new
        return [read_call(path) for path in new]

    def _new(self, folder: str) -> set[Path]:
        return set((self.home / folder).glob("[0-9]*")) - self._seen

    def has_run(self, keys: set[tuple[str, str]]) -> bool:
        """Whether each of these services was run once, since runs were collected, and its result has been taken."""
        if not keys <= {call.key for call in self.calls("runs")}:
            return False
        status = self.opstatus()
        return all(status[key].get("monitor_running", "0") == "0" for key in keys)

    def has_got(self, keys: set[tuple[str, str]], since: int) -> bool:
        """Whether each of these services had a trap since then."""
        status = self.opstatus() if keys else {}
        return all(int(status[key]["last_trap"] or 0) >= since for key in keys)

    def is_quiet(self) -> bool:
        """Whether no child of its, near or far, is at work, and no alert that it tells of has yet to be called."""
        told = len(self.ask("list alerthist")) - 1
        called = sum(1 for _ in (self.home / "calls").glob("[0-9]*"))
        return called >= told and not any(map(self._is_child, _processes()))

    def _is_child(self, process: Path) -> bool:
        assert self._process
        try:
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended, or is none of ours
            return False
        return f"ORACLE={self.home}".encode() in variables and int(process.name) != self._process.pid


def _told(group: str, trap: Trap) -> tuple[tuple[str, str], ...]:
    """Six pairs of names and values, as send_trap of Mon::Client takes them."""
    return (
        ("group", group),
        ("service", trap.service),
        ("retval", str(trap.status)),
        ("opstatus", "fail" if trap.status else "ok"),
        ("summary", trap.summary),
        ("detail", trap.detail),
    )


def both(sides: list[Side], condition: Callable[[Side], bool], what: str) -> None:
    """Wait until it is true of each of them."""
    for side in sides:
        until(lambda side=side: condition(side), f"{what} ({side.name})", PATIENCE)  # type: ignore[misc]


def _processes() -> list[Path]:
    return list(Path("/proc").glob("[0-9]*"))
