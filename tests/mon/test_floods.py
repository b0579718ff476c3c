# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon goes on with its work while strangers flood it with datagrams, connections and commands."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from tests.closing import reset_on_close
from tests.mon.running import Mon

CONFIG = """
hostgroup web w1.example

watch web
  service http
    interval 1s
    monitor tick.monitor
"""
RUNS = 4  # of a monitor that is due every second


def datagrams(mon: Mon, over: threading.Event) -> None:
    """As many as the machine can send, with the user that opened everything once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.2", 0))
        while not over.is_set():
            with suppress(BlockingIOError):
                sender.sendto(
                    b"pro='0.3807'\nusr='*'\ngrp='web'\nsvc='http'\nsta='1'\nsum='x'\n", ("127.0.0.1", mon.ports[1])
                )


def commands(mon: Mon, over: threading.Event) -> None:
    """A client that asks for everything, and reads it."""
    with socket.create_connection(("127.0.0.1", mon.ports[0]), source_address=("127.0.0.3", 0)) as client:
        client.settimeout(0.01)
        while not over.is_set():
            with suppress(TimeoutError):
                client.sendall(b"list opstatus\n" * 100)
            with suppress(TimeoutError):
                while not over.is_set() and client.recv(1 << 16):
                    pass


def connections(mon: Mon, over: threading.Event) -> None:
    """Comes, says half a word and hangs up, again and again: one in ten politely, which keeps its port for a minute."""
    while not over.is_set():
        with ExitStack() as crowd:
            for number in range(100):
                client = socket.create_connection(("127.0.0.1", mon.ports[0]), source_address=("127.0.0.4", 0))
                crowd.enter_context(client)
                if number % 10:
                    reset_on_close(client)
                with suppress(ConnectionError):
                    client.sendall(b"list st")


@contextmanager
def flooding(mon: Mon, *floods: Callable[[Mon, threading.Event], None]) -> Iterator[None]:
    over = threading.Event()
    threads = [threading.Thread(target=flood, args=(mon, over)) for flood in floods]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_monitoring_goes_on_in_floods(mon: Mon) -> None:
    mon.script("mon.d/tick.monitor", "echo tick >>$OUT")
    mon.configure(CONFIG)
    mon.start()
    mon.wait_until(mon.notes, "the first run")
    with flooding(mon, datagrams, commands, connections):
        before = len(mon.notes())
        mon.wait_until(lambda: len(mon.notes()) >= before + RUNS, "runs in the flood")
        assert mon.ask("list state")[0] == "scheduler running"
    assert " opstatus=1 " in mon.ask("list opstatus web,http")[0]  # no trap of a stranger counted
    assert mon.end() == 0
    lines = mon.log.splitlines()
    assert len(lines) < 1000, lines[-20:]
