# SPDX-License-Identifier: GPL-2.0-or-later
"""A director with the monitor daemon on it, and the moments at which a server leaves the table and returns."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bpvs.director import Director
from bpvs.lab.host import Host
from bpvs.lab.shell import own_tool
from bpvs.lab.wait import until
from bpvs.mon.health.client import NotRunning, Snapshot, ask
from tests.lab.load import Load

SECONDS = 30.0  # for whatever has to happen, on a machine that is busy with other things


@dataclass(frozen=True, slots=True)
class Outage:
    """A server's death and return as its clients saw it, and the seconds that each took to show in the table."""

    failed_in_death: int
    asked_in_death: int
    failed_afterwards: int
    asked_afterwards: int
    removed_after: float
    returned_after: float

    def __str__(self) -> str:
        return (
            f"out of the table after {self.removed_after:.2f} s: {self.failed_in_death} of {self.asked_in_death} "
            f"requests failed until then, {self.failed_afterwards} of {self.asked_afterwards} afterwards; "
            f"back after {self.returned_after:.2f} s"
        )


class Watched:
    """The daemon on a host, its files in `folder`; `words` are its arguments, `shell` prepares the place of its run."""

    def __init__(self, host: Host, folder: Path, *words: str, shell: str = "") -> None:
        self.host = host
        self.folder = folder
        self._words = words
        self._shell = shell
        self._process: subprocess.Popen[str] | None = None
        (folder / "bin").mkdir()
        wrapper = folder / "bin" / "ipvsadm"
        wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(own_tool("ipvsadm"))} "$@"\n')
        wrapper.chmod(0o700)

    @property
    def log(self) -> str:
        """All that it said."""
        return (self.folder / "said").read_text()

    def start(self) -> None:
        """Returns when it answers."""
        command = f"{self._shell}\nexec {shlex.join([*own_tool('mon'), *self._words])}"
        path = f"PATH={self.folder / 'bin'}:{os.environ['PATH']}"
        with (self.folder / "said").open("a") as said:
            self._process = subprocess.Popen(
                self.host.argv(["env", path, "sh", "-ec", command]), stdout=said, stderr=said, text=True
            )
        self.host.processes.append(self._process)
        until(self.is_running, "mon answers", SECONDS)

    def is_running(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self.log
        try:
            return bool(self.health())
        except NotRunning:
            return False

    def health(self) -> Snapshot:
        with self.host.inside():
            return ask(2583)

    def kill(self) -> None:
        """No time for good-byes."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        assert self._process
        self._process.send_signal(number)
        return self._process.wait(SECONDS)

    def weights(self) -> dict[str, int]:
        """The weights of the servers of the one service, by address."""
        table = Director(self.host.name).table()
        return {str(one.address): one.weight for service in table.services() for one in table.servers(service.key)}

    def wait_for_checks(self) -> None:
        """Every service has been checked."""
        until(lambda: all(one["status"] != "untested" for one in self.health()["services"]), "first checks", SECONDS)


def outage(
    watched: Watched, clients: Load, address: str, kill: Callable[[], None], revive: Callable[[], None]
) -> Outage:
    """A server dies, leaves the table, lives again and returns, while clients ask."""
    before = watched.weights()
    with clients as load:
        until(lambda: load.count(0) > 100, "requests before the death", SECONDS)
        answer = load.answers(0)
        died = time.monotonic()
        kill()
        until(lambda: address not in watched.weights(), f"{address} out of the table", SECONDS)
        removed = time.monotonic()
        until(lambda: load.count(removed) > 100, "requests without the server", SECONDS)
        assert len(load.answers(removed)) == len(answer) - 1
        lives = time.monotonic()
        revive()
        until(lambda: watched.weights() == before, f"{address} in the table as before", SECONDS)
        returned = time.monotonic()
        until(lambda: load.answers(returned) == answer, "all answer again", SECONDS)
        until(lambda: load.count(returned) > 100, "requests after the return", SECONDS)
    return Outage(
        load.failed(died, removed),
        load.count(died, removed),
        load.failed(removed),
        load.count(removed),
        removed - died,
        returned - lives,
    )
