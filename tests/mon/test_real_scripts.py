# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's own monitors and alerts under our daemon: what they find out, and what they write down."""

from __future__ import annotations

import re
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from bpvs.text.mon.opstatus import parse_line
from tests.mon.monitors.servers import refusing, serving
from tests.mon.real import SCRIPTS, real_program

if TYPE_CHECKING:
    import socket

    from tests.mon.running import Mon

HOST = "127.0.0.1"
OK, FAIL = "1", "0"
NOTES = ("alert note.alert", "upalert note.alert")
MONITORS = {  # with the option that tells them the port
    "tcp.monitor": "-p {port}",
    "http.monitor": "-p {port}",
    "phttp.monitor": "--port={port}",
}


@pytest.fixture
def shipped(mon: Mon, monkeypatch: pytest.MonkeyPatch) -> Mon:
    """A daemon whose directories hold Debian's scripts, and note.alert beside them."""
    monkeypatch.setenv("PERL5LIB", real_program("mon").env["PERL5LIB"])
    for folder in ("mon.d", "alert.d"):
        shutil.copytree(SCRIPTS / folder, mon.home / folder, dirs_exist_ok=True)
    return mon


def web(connection: socket.socket) -> None:
    """Answers a request when all of it is there; a client that only connects is none."""
    with connection.makefile("rb") as request:
        for line in request:
            if not line.strip():
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nbody\n")
                return


def watching(group: str, monitor: str, *alerts: str, host: str = HOST) -> str:
    lines = "".join(f"    {line}\n" for line in alerts or NOTES)
    return (
        f"hostgroup {group} {host}\n\nwatch {group}\n  service s\n  description a service\n  interval 1s\n"
        f"  monitor {monitor}\n  period\n{lines}\n"
    )


def statuses(mon: Mon) -> dict[str, str]:
    """By group."""
    fields = map(parse_line, mon.ask("list opstatus")[:-2])
    return {one["group"]: one["opstatus"] for one in fields}


def test_monitors_see_a_server_die_and_return(shipped: Mon) -> None:
    with serving(web) as port:
        text = (watching(name, f"{name} {words.format(port=port)}") for name, words in MONITORS.items())
        shipped.configure("".join(text))
        shipped.start()
        shipped.wait_until(lambda: set(statuses(shipped).values()) == {OK}, "everything well")
        assert shipped.notes() == []
    for name in MONITORS:
        shipped.wait_until(lambda name=name: f"failure {name} s" in shipped.notes(), f"{name} seeing it")  # type: ignore[misc]
    for line in shipped.ask("list opstatus")[:-2]:
        assert parse_line(line)["last_summary"].startswith(HOST)
    with serving(web, port=port):
        for name in MONITORS:
            shipped.wait_until(lambda name=name: f"up {name} s u" in shipped.notes(), f"{name} seeing it")  # type: ignore[misc]


def test_a_monitor_talks_to_this_very_daemon(shipped: Mon) -> None:
    shipped.configure("")
    shipped.start()
    port = re.findall(r"clients on port (\d+)", shipped.log)[-1]
    with refusing() as nobody:
        shipped.configure(
            watching("itself", f"mon.monitor -p {port}") + watching("nobody", f"mon.monitor -p {nobody} -t 5")
        )
        shipped.send(signal.SIGHUP)
        shipped.wait_until(lambda: statuses(shipped) == {"itself": OK, "nobody": FAIL}, "both verdicts")


@pytest.mark.skipif(not shutil.which("ping"), reason="ping is not installed")
def test_ping_monitor_asks_the_hosts_by_ping(shipped: Mon) -> None:
    shipped.configure(watching("here", "ping.monitor") + watching("nowhere", "ping.monitor", host=f"{HOST} 0.0.0.1"))
    shipped.start()
    shipped.wait_until(lambda: statuses(shipped) == {"here": OK, "nowhere": FAIL}, "both verdicts")
    line = next(line for line in shipped.ask("list opstatus") if line.startswith("group=nowhere"))
    assert parse_line(line)["last_summary"].split() == ["0.0.0.1"]


def test_file_alert_writes_down_what_it_is_told(shipped: Mon) -> None:
    shipped.script("mon.d/moody.monitor", '[ -e $HOME_/sick ] || exit 0; echo "$1"; echo "it is ill"; exit 3')
    shipped.configure(
        watching(
            "g",
            "moody.monitor",
            f"alert file.alert -d {shipped.home} told",
            f"upalert file.alert -d {shipped.home} told",
        )
    )
    (shipped.home / "sick").touch()
    told = shipped.home / "told"
    shipped.start()
    shipped.wait_until(told.exists, "an alert")
    (shipped.home / "sick").unlink()
    shipped.wait_until(lambda: "\nup g s " in told.read_text(), "an upalert")
    shipped.wait_until(lambda: told.read_text().endswith(".\n"), "its end")
    entries = told.read_text().split(".\n")[:-1]
    kinds = ["up" if number == len(entries) - 1 else "failure" for number in range(len(entries))]
    for entry, kind in zip(entries, kinds, strict=True):
        head = rf"{kind} g s \d+ \(\w+ \w+ \d+ [\d:]+\) {re.escape(HOST)}"
        status = OK if kind == "up" else FAIL
        assert re.fullmatch(rf"{head}\nDESCR=a service\nOPSTATUS={status}\nit is ill\n", entry)
