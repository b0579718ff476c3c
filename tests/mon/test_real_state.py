# SPDX-License-Identifier: GPL-2.0-or-later
"""The real mon takes over the state that ours wrote."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bpvs.lab.wait import until
from bpvs.model.mon import Key
from bpvs.text.mon.opstatus import parse_line
from tests.mon.desk import Desk
from tests.mon.real import free_port, real_program

PATIENCE = 60.0  # seconds; a busy machine takes its time
CONFIG = """\
serverbind = 127.0.0.1
trapbind = 127.0.0.1

hostgroup web w1.example w2.example

watch web
  service http
    interval 1h
    monitor told.monitor
    period LABEL: wd {Sun-Sat}
      alert test.alert
  service ping
    interval 1h
    monitor told.monitor
"""


def ask(port: int, command: str) -> list[str]:
    """The real mon closes no half of a connection before the other."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            client.sendall(f"{command}\n".encode())
            lines = client.makefile("r")
            answer: list[str] = []
            while not (answer and answer[-1][:3].isdigit() and answer[-1][3:4] == " "):
                answer.append(next(lines))
            return answer
    except (ConnectionError, StopIteration):
        return []


def outcome(process: subprocess.Popen[bytes], port: int) -> str:
    """What became of its start: "answers", "ended", or "" as long as it is not known."""
    if process.poll() is not None:
        return "ended"
    return "answers" if ask(port, "list state") else ""


@contextmanager
def running(argv: list[str], env: dict[str, str], log: Path) -> Iterator[int]:
    """The daemon on a port of 127.0.0.1 that was free a moment ago; it answers there."""
    for _ in range(5):
        port = free_port()
        ports = ("-p", str(port), "-t", str(port))
        with log.open("ab") as file:
            process = subprocess.Popen([*argv, *ports], env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        try:
            began = until(lambda: outcome(process, port), "an answer of the real mon", PATIENCE)  # noqa: B023 - at once
            if began == "answers":
                yield port
                return
        finally:
            process.terminate()
            process.wait(PATIENCE)
    raise AssertionError(log.read_text())


def test_the_real_mon_goes_on_from_our_state(tmp_path: Path) -> None:
    mon = real_program("mon")
    (tmp_path / "mon.cf").write_text(CONFIG)
    (tmp_path / "auth.cf").write_text("list: all\nterm: all\n")
    desk = Desk(tmp_path)
    desk.result(Key("web", "http"), 1, "w2.example\nit's down: 100%\n")
    desk.engine.disable_hosts(["w1.example"])
    asyncio.run(desk.save_state(["opstatus", "disabled"]))
    assert "host_failure:w2.example=" in (tmp_path / "opstatus").read_text()

    words = {"c": "mon.cf", "A": "auth.cf", "D": "", "L": "", "B": "", "b": ""}
    argv = [*mon.argv, *(word for name, file in words.items() for word in (f"-{name}", str(tmp_path / file)))]
    with running([*argv, "-S", "-P", "", "-l", "all"], mon.env, tmp_path / "log") as port:
        lines = ask(port, "list opstatus web")
        status = {fields["service"]: fields for fields in map(parse_line, lines[:-1])}
        http = status["http"]
        ours = desk.engine.states[Key("web", "http")]
        assert (http["opstatus"], http["exitval"], http["last_summary"]) == ("0", "1", "w2.example")
        assert http["last_detail"] == "it's down: 100%\n"
        assert http["first_failure"] == str(ours.first_failure)
        assert http["alerts_sent"] == "1"
        assert status["ping"]["opstatus"] == "7"
        assert "group web: w1.example\n" in ask(port, "list disabled")
