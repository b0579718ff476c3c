# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of /proc/net recorded under traffic: read the figures out of each, give them to a director, print them again.

What files look like without traffic is replayed with the commands of test_ipvsadm_transcripts.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bpvs.cli.proc import FILES, lines
from bpvs.model import (
    Address,
    Connection,
    Counters,
    Family,
    Method,
    Protocol,
    Rates,
    RealServer,
    ServerStatus,
    ServiceKey,
    ServiceStatus,
    Totals,
    VirtualService,
)
from bpvs.testing import MemoryDirector

FOLDER = Path(__file__).parent / "ipvsadm"
RECORDINGS = ("t03_nat_basic", "t16_sip", "t22_numbers")
PROMPT = "[d]$ cat /proc/net/"
METHODS = {"Masq": Method.NAT, "Route": Method.ROUTE, "Tunnel": Method.TUNNEL}


def files() -> Iterator[tuple[str, str, str]]:
    """(recording, file, its text)."""
    for recording in RECORDINGS:
        for block in (FOLDER / f"{recording}.out").read_text().split(PROMPT)[1:]:
            name, _, rest = block.partition("\n")
            yield recording, name, rest[: rest.index("-- rc=0")]


def address(digits: str) -> Address:
    return Address(Family.IPV4, bytes.fromhex(digits))


def endpoint(words: list[str]) -> tuple[Address, int]:
    return address(words[0]), int(words[1], 16)


def read_table(text: str, director: MemoryDirector) -> None:
    """Oldest service first here, newest first there."""
    blocks: list[list[list[str]]] = []
    for words in map(str.split, text.splitlines()[3:]):
        if words[0] == "->":
            blocks[-1].append(words[1:])
        else:
            blocks.append([words])
    statuses = {}
    for head, *servers in blocks:
        key = ServiceKey.at(Protocol[head[0]], *endpoint(head[1].split(":")))
        found = {}
        with director.change() as table:
            table.add_service(VirtualService(key, head[2]))
            for words in reversed(servers):
                server = RealServer(*endpoint(words[0].split(":")), METHODS[words[1]], int(words[2]))
                table.add_server(key, server)
                found[server.address, server.port] = ServerStatus(int(words[3]), int(words[4]))
        statuses[key] = ServiceStatus(servers=found)
    director.statuses = statuses


def read_connections(text: str, director: MemoryDirector) -> None:
    titles, *rows = map(str.split, text.splitlines())
    expires = titles.index("Expires")
    for words in rows:
        client, virtual, server = (endpoint(words[at : at + 2]) for at in (1, 3, 5))
        left = int(words[expires]) + 0.9  # rounded down when it is printed
        engine, data = words[expires + 1 :] or ("", "")
        protocol, state = Protocol[words[0]], words[7]
        director.entries.append(Connection(protocol, *client, *virtual, *server, state, left, engine, data))


def read_totals(text: str, director: MemoryDirector) -> None:
    rows = [[int(word, 16) for word in words] for words in map(str.split, (text.splitlines()[at] for at in (2, 5)))]
    director.sums = Totals(Counters(*rows[0]), Rates(*rows[1]))


def read_cpus(text: str, director: MemoryDirector) -> None:
    *cpus, total, rates = (words for words in map(str.split, text.splitlines()[2:]) if words and "/" not in words[0])
    figures = [Counters(*(int(word, 16) for word in words[1:])) for words in (*cpus, total)]
    director.cpus = figures[:-1]
    director.sums = Totals(figures[-1], Rates(*(int(word, 16) for word in rates)))


READERS: dict[str, Callable[[str, MemoryDirector], None]] = {
    "ip_vs": read_table,
    "ip_vs_conn": read_connections,
    "ip_vs_conn_sync": read_connections,
    "ip_vs_stats": read_totals,
    "ip_vs_stats_percpu": read_cpus,
}
CASES = list(files())


@pytest.mark.parametrize(("recording", "name", "text"), CASES, ids=[f"{c[0]}-{n}-{c[1]}" for n, c in enumerate(CASES)])
def test_file_is_the_recorded_one(recording: str, name: str, text: str) -> None:
    director = MemoryDirector()
    READERS[name](text, director)
    assert "".join(lines(name, director)) == text


def test_the_recordings_hold_every_file_that_traffic_changes() -> None:
    assert {name for _, name, _ in CASES} == set(READERS) == set(FILES) - {"ip_vs_app"}


def test_ipv6_is_written_in_full_groups() -> None:
    """As the kernel's %pI6; the server of a tunnel may have the other family."""
    director = MemoryDirector()
    client, virtual, server = (Address.parse(text) for text in ("2001:db8::2", "2001:db8::1", "10.0.0.77"))
    director.entries = [
        Connection(Protocol.SCTP, client, 40000, virtual, 80, server, 80, "ESTABLISHED", 9.9),
        Connection(None, Address.parse("10.9.0.0"), 0, Address.parse("0.0.0.7"), 0, server, 0, "ASSURED", 1000.0),
    ]
    six = "2001:0db8:0000:0000:0000:0000:0000:000"
    assert list(lines("ip_vs_conn", director))[1:] == [
        f"SCTP {six}2 9C40 {six}1 0050 0A00004D 0050 ESTABLISHED       9\n",
        "IP  0A090000 0000 00000007 0000 0A00004D 0000 ASSURED        1000\n",
    ]
    assert list(lines("ip_vs_conn_sync", director))[2] == (
        "IP  0A090000 0000 00000007 0000 0A00004D 0000 ASSURED     LOCAL     1000\n"
    )


def test_services_by_mark_come_last() -> None:
    director = MemoryDirector()
    keys = [ServiceKey.marked(7), ServiceKey.at(Protocol.UDP, Address.parse("10.0.0.1"), 53)]
    for key in keys:
        with director.change() as table:
            table.add_service(VirtualService(key, "rr"))
    text = "".join(lines("ip_vs", director)).splitlines()[3:]
    assert text == ["UDP  0A000001:0035 rr  ", "FWM  00000007 rr "]
