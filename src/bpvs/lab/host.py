# SPDX-License-Identifier: GPL-2.0-or-later
"""One machine of a lab: a network namespace, and programs that run in it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO

from bpvs.lab.shell import LabError, Result, own_tool, run
from bpvs.lab.wait import PATIENCE
from bpvs.net import namespace, sysctl

WEB_SERVER = "bpvs.lab.webserver"


@dataclass(slots=True)
class Host:
    """A namespace called `name`; programs started here in the background end with the network."""

    name: str
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    is_director: bool = False
    is_real_server: bool = False

    def argv(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` on this host, as an operator would type it."""
        return ["ip", "netns", "exec", self.name, *argv]

    def run(self, *argv: str, stdin: str = "", seconds: float = 30.0) -> Result:
        """Runs a program on this host to its end."""
        return run(self.argv(argv), stdin, seconds)

    def ipvsadm(self, *arguments: str, stdin: str = "", seconds: float = 30.0) -> Result:
        """Runs this installation's ipvsadm, which makes the host a director."""
        self.is_director = True
        return self.run(*own_tool("ipvsadm"), *arguments, stdin=stdin, seconds=seconds)

    def bpvs(self, *arguments: str, stdin: str = "") -> Result:
        """Runs this installation's bpvs, which makes the host a director."""
        self.is_director = True
        return self.run(*own_tool("bpvs"), *arguments, stdin=stdin)

    def start_agent(self, *vips: str) -> subprocess.Popen[str]:
        """Begins to make the host a real server of these virtual addresses, with this installation's agent."""
        self.is_real_server = True
        words = (word for vip in vips for word in ("--vip", vip))
        return self.start(*own_tool("bpvs"), "realserver", "up", *words)

    def curl(self, *arguments: str, seconds: float = 30.0) -> Result:
        """Runs curl, silent but for errors and without any user's configuration or proxy."""
        return self.run("curl", "-q", "--noproxy", "*", "-sS", *arguments, seconds=seconds)

    def start(
        self, *argv: str, keep: bool = False, stdout: int | IO[str] = subprocess.DEVNULL
    ) -> subprocess.Popen[str]:
        """Starts a program on this host and returns at once; with `keep` it outlives the network's end."""
        process = subprocess.Popen(
            self.argv(argv),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def serve(self, answer: str, port: int = 80) -> None:
        """Starts a web server that says `answer` at /, and returns when it listens."""
        self.await_ready(self.begin_serving(answer, port), f"web server on port {port} of {self.name}")

    def begin_serving(self, answer: str, port: int = 80) -> subprocess.Popen[str]:
        """Starts a web server; `await_ready` tells when it listens, so that several can start at once."""
        return self.start(sys.executable, "-m", WEB_SERVER, str(port), answer, stdout=subprocess.PIPE)

    def await_ready(self, process: subprocess.Popen[str], what: str, seconds: float = 10.0) -> None:
        """Returns when the program has printed its first line; LabError if it ends or stays silent."""
        output = process.stdout
        if output is None or not select.select([output], [], [], seconds * PATIENCE)[0] or not output.readline():
            raise LabError(f"the {what} did not start (exit code {process.poll()})")

    def inside(self) -> namespace.Visit:
        """The calling thread is on this host for the block; sockets made there stay there."""
        return namespace.inside(self.name)

    def set_sysctl(self, name: str, value: str | int) -> None:
        """Change a kernel setting of this host; see `bpvs.net.sysctl`."""
        with self.inside():
            sysctl.write(name, value)

    def get_sysctl(self, name: str) -> str:
        """The value of a kernel setting of this host."""
        with self.inside():
            return sysctl.read(name)

    def stop(self) -> None:
        """Ends what was started here, and what a director or the agent of a real server left in the kernel."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self.processes.clear()
        if not os.path.exists(f"{namespace.NAMED}/{self.name}"):
            return
        if self.is_real_server:
            self.is_real_server = False
            self.run(*own_tool("bpvs"), "realserver", "down").checked()
        if self.is_director:
            self.is_director = False
            self.bpvs("down").checked()
