# SPDX-License-Identifier: GPL-2.0-or-later
"""The real mon takes over the state that ours wrote."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from pathlib import Path

from bpvs.lab.wait import until
from bpvs.model.mon import Key
from bpvs.text.mon.opstatus import parse_line
from tests.mon.desk import Desk
from tests.mon.real import real_program

CONFIG = """\
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


def test_the_real_mon_goes_on_from_our_state(tmp_path: Path) -> None:
    mon = real_program("mon")
    (tmp_path / "mon.cf").write_text(CONFIG)
    (tmp_path / "auth.cf").write_text("list: all\nterm: all\n")
    desk = Desk(tmp_path)
    desk.result(Key("web", "http"), 1, "w2.example\nit's down: 100%\n")
    desk.engine.disable_hosts(["w1.example"])
    asyncio.run(desk.save_state(["opstatus", "disabled"]))
    assert "host_failure:w2.example=" in (tmp_path / "opstatus").read_text()

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "c": tmp_path / "mon.cf",
        "A": tmp_path / "auth.cf",
        "D": tmp_path,
        "L": tmp_path,
        "B": tmp_path,
        "b": tmp_path,
    }
    words = [word for name, value in options.items() for word in (f"-{name}", str(value))]
    process = subprocess.Popen(
        [*mon.argv, *words, "-S", "-P", "", "-l", "all", "-p", str(port), "-t", str(port)],
        env=mon.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        lines = until(lambda: ask(port, "list opstatus web"), "an answer of the real mon", 20)
        status = {fields["service"]: fields for fields in map(parse_line, lines[:-1])}
        http = status["http"]
        ours = desk.engine.states[Key("web", "http")]
        assert (http["opstatus"], http["exitval"], http["last_summary"]) == ("0", "1", "w2.example")
        assert http["last_detail"] == "it's down: 100%\n"
        assert http["first_failure"] == str(ours.first_failure)
        assert http["alerts_sent"] == "1"
        assert status["ping"]["opstatus"] == "7"
        assert "group web: w1.example\n" in ask(port, "list disabled")
    finally:
        process.terminate()
        process.wait(10)
