# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that are killed, and commands at once: the table stays whole and forwarding never stops."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bpvs.lab import listing
from bpvs.lab.host import Host
from bpvs.lab.shell import own_tool
from bpvs.lab.topology import Routed

pytestmark = pytest.mark.root

ADDRESSES = ("10.0.1.11", "10.0.1.12", "10.0.1.13")
PORTS = range(1000, 1010)
KILLS = 40


def restore_text(weight: int, command: str) -> str:
    """Lines for -R that give every service of PORTS three servers of one weight (command -a or -e)."""
    lines = []
    for port in PORTS:
        if command == "-a":
            lines.append(f"-A -t 10.9.0.100:{port} -s wrr")
        lines += [f"{command} -t 10.9.0.100:{port} -r {address}:80 -m -w {weight}" for address in ADDRESSES]
    return "\n".join(lines) + "\n"


def services(director: Host) -> dict[str, listing.ServiceRow]:
    return listing.table(director.ipvsadm("-L", "-n").checked().out)


@contextmanager
def traffic(net: Routed) -> Iterator[list[str]]:
    """Requests one after the other for the whole block; the list gets whatever went wrong, and the count at the end."""
    problems: list[str] = []
    ended = threading.Event()
    answered = []

    def ask() -> None:
        while not ended.is_set():
            urls = [f"http://{net.vip}/?{number}" for number in range(20)]
            done = net.client.curl("-g", "-H", "Connection: close", "--max-time", "10", *urls)
            words = done.out.split()
            answered.extend(words)
            if done.code != 0 or len(words) != 20 or not set(words) <= {"one", "two", "three"}:
                problems.append(f"exit code {done.code}: {done.err}")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield problems
    finally:
        ended.set()
        thread.join()
    assert len(answered) >= 20


@pytest.fixture
def serving(net: Routed) -> Routed:
    net.director.ipvsadm("-A", "-t", f"{net.vip}:80", "-s", "rr").checked()
    for address in net.addresses:
        net.director.ipvsadm("-a", "-t", f"{net.vip}:80", "-r", f"{address}:8080", "-m").checked()
    return net


def lifetime(director: Host, stdin: str) -> float:
    """How long an undisturbed restore takes here and now, in seconds."""
    begun = time.monotonic()
    director.ipvsadm("-R", stdin=stdin).checked()
    return time.monotonic() - begun


def kill_after(director: Host, seconds: float, stdin: str, *arguments: str) -> int:
    """Starts ipvsadm, kills it with SIGKILL after a while; returns its exit code (0: it had ended before)."""
    process = subprocess.Popen(
        director.argv([*own_tool("ipvsadm"), *arguments]),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    try:
        process.stdin.write(stdin)
        process.stdin.close()
    except BrokenPipeError:
        pass
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        return process.wait()


def test_a_command_killed_at_any_moment_leaves_whole_services_and_forwarding(serving: Routed) -> None:
    director = serving.director
    director.ipvsadm("-R", stdin=restore_text(1, "-a")).checked()
    longest = lifetime(director, restore_text(1, "-e"))
    chance = random.Random(20)  # noqa: S311 - the same moments in every run, as far as the machine allows
    killed = 0
    with traffic(serving) as problems:
        for weight in range(2, 2 + KILLS):
            killed += kill_after(director, chance.uniform(0, longest), restore_text(weight, "-e"), "-R") != 0
            table = services(director)
            assert len(table) == len(PORTS) + 1
            for port in PORTS:
                rows = table[f"TCP 10.9.0.100:{port}"].servers
                assert len(rows) == len(ADDRESSES)
                assert len({row.weight for row in rows.values()}) == 1, f"port {port} is half edited: {rows}"
            assert len(table["TCP 10.9.0.100:80"].servers) == 3
    assert problems == []
    assert killed >= KILLS // 4


def test_services_that_come_and_go_under_kills_are_there_with_all_servers_or_not_at_all(serving: Routed) -> None:
    director = serving.director
    longest = lifetime(director, restore_text(1, "-a"))
    chance = random.Random(21)  # noqa: S311 - the same moments in every run, as far as the machine allows
    with traffic(serving) as problems:
        for round_number in range(KILLS):
            if round_number % 2 == 0:
                text = "".join(f"-D -t 10.9.0.100:{port}\n" for port in PORTS)
            else:
                text = restore_text(1, "-a")
            kill_after(director, chance.uniform(0, longest), text, "-R")
            for name, row in services(director).items():
                assert len(row.servers) == 3, f"{name} has {len(row.servers)} of 3 servers"
    assert problems == []


def test_the_first_command_killed_while_it_loads_does_not_stop_the_next(net: Routed) -> None:
    chance = random.Random(22)  # noqa: S311 - the same moments in every run, as far as the machine allows
    for _ in range(8):
        kill_after(net.director, chance.uniform(0.01, 0.4), "", "-A", "-t", f"{net.vip}:80", "-s", "rr")
        net.director.bpvs("down").checked()
        kill_after(net.director, chance.uniform(0.01, 0.4), "", "-A", "-t", f"{net.vip}:80", "-s", "rr")
        net.director.ipvsadm("-C").checked()
        net.director.ipvsadm("-A", "-t", f"{net.vip}:80", "-s", "rr").checked()
        net.director.ipvsadm("-a", "-t", f"{net.vip}:80", "-r", "10.0.1.11:8080", "-m").checked()
        assert net.client.curl(f"http://{net.vip}/").checked().out == "one\n"


def test_two_writers_at_once_lose_nothing(serving: Routed) -> None:
    failures: list[str] = []

    def write(first_port: int) -> None:
        for port in range(first_port, first_port + 6):
            for command in (
                ["-A", "-t", f"10.9.0.100:{port}", "-s", "rr"],
                *[["-a", "-t", f"10.9.0.100:{port}", "-r", f"{address}:80", "-m"] for address in ADDRESSES],
            ):
                done = serving.director.ipvsadm(*command)
                if done.code != 0:
                    failures.append(f"{done.command}: {done.err}")

    writers = [threading.Thread(target=write, args=(first,)) for first in (2000, 3000)]
    with traffic(serving) as problems:
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    assert failures == []
    assert problems == []
    table = services(serving.director)
    assert len(table) == 13
    assert {tuple(sorted(row.servers)) for name, row in table.items() if not name.endswith(":80")} == {
        tuple(f"{address}:80" for address in ADDRESSES)
    }


def test_a_restore_holds_the_table_for_its_whole_run(serving: Routed) -> None:
    """Two restores of the same services with different weights: the table is that of one of them, never a mixture."""
    director = serving.director
    director.ipvsadm("-R", stdin=restore_text(1, "-a")).checked()
    for first in range(10, 30, 2):
        writers = [
            threading.Thread(target=director.ipvsadm, args=("-R",), kwargs={"stdin": restore_text(weight, "-e")})
            for weight in (first, first + 1)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        table = services(director)
        weights = {row.weight for port in PORTS for row in table[f"TCP 10.9.0.100:{port}"].servers.values()}
        assert weights in ({first}, {first + 1})
