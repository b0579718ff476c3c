# SPDX-License-Identifier: GPL-2.0-or-later
"""Listings recorded under traffic: read the figures out of each, give them to a director, and print them again.

What is compared are layouts and the shortening of numbers; where a listing is shortened, the figures come from the
`--exact` listing recorded right after it.
"""

from __future__ import annotations

import io
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpvs.ipvsadm.run import run
from bpvs.model import (
    Address,
    Connection,
    Counters,
    Method,
    Protocol,
    Rates,
    RealServer,
    ServerStatus,
    ServiceKey,
    ServiceStatus,
    Table,
    VirtualService,
)
from bpvs.testing import FixedResolver, MemoryDirector
from bpvs.text.endpoint import parse_endpoint

FOLDER = Path(__file__).parent / "ipvsadm"
RECORDINGS = ("t03_nat_basic", "t16_sip", "t22_numbers", "t23_sctp")
NAMES = FixedResolver(
    {}, {("http", "tcp"): 80, ("http-alt", "tcp"): 8080, ("domain", "udp"): 53, ("domain", "tcp"): 53}
)
METHODS = {"Masq": Method.NAT, "Route": Method.ROUTE}


def listings() -> Iterator[tuple[str, str, str, str]]:
    """(recording, command, its output, output to take the figures from) of every listing on the director."""
    for recording in RECORDINGS:
        found: list[tuple[str, str]] = []
        for block in (FOLDER / f"{recording}.out").read_text().split("[d]$ ")[1:]:
            command, _, rest = block.partition("\n")
            if command.startswith("ipvsadm -L"):
                found.append((command, rest[: rest.index("-- rc=0")]))
        for index, (command, text) in enumerate(found):
            following = found[index + 1] if index + 1 < len(found) else ("", "")
            yield recording, command, text, following[1] if following[0] == f"{command} --exact" else text


class Reading:
    """A recorded listing taken apart."""

    def __init__(self, command: str, text: str) -> None:
        self.director = MemoryDirector()
        self._layout = next((o for o in ("--stats", "--rate", "--thresholds", "--persistent-conn") if o in command), "")
        if text.startswith("IPVS connection entries"):
            self.director.entries = [self._connection(line.split()) for line in text.splitlines()[2:]]
            return
        services: list[tuple[VirtualService, list[RealServer]]] = []
        statuses: dict[ServiceKey, ServiceStatus] = {}
        for words in map(str.split, text.splitlines()[3:]):
            if words[0] != "->":
                service, status = self._service(words)
                services.append((service, []))
                statuses[service.key] = status
            else:
                server, server_status = self._server(words[1:])
                services[-1][1].append(server)
                key = services[-1][0].key
                servers = {**statuses[key].servers, (server.address, server.port): server_status}
                statuses[key] = ServiceStatus(statuses[key].counters, statuses[key].rates, servers)
        self.director._table = Table.of((service, servers, ()) for service, servers in services)
        self.director.statuses = statuses

    def _figures(self, words: list[str]) -> tuple[Counters, Rates]:
        numbers = [int(word) for word in words]
        return (Counters(*numbers), Rates()) if self._layout == "--stats" else (Counters(), Rates(*numbers))

    def _service(self, words: list[str]) -> tuple[VirtualService, ServiceStatus]:
        protocol = Protocol[words[0]]
        key = ServiceKey.at(protocol, *endpoint(words[1], protocol))
        if self._layout in ("--stats", "--rate"):
            return VirtualService(key), ServiceStatus(*self._figures(words[2:]))
        persistence = int(words[words.index("persistent") + 1]) if "persistent" in words else None
        engine = words[words.index("pe") + 1] if "pe" in words else ""
        ops = "ops" in words
        return VirtualService(key, words[2], persistence=persistence, engine=engine, ops=ops), ServiceStatus()

    def _server(self, words: list[str]) -> tuple[RealServer, ServerStatus]:
        address, port = endpoint(words[0], Protocol.TCP)
        if self._layout in ("--stats", "--rate"):
            counters, rates = self._figures(words[1:])
            return RealServer(address, port), ServerStatus(counters=counters, rates=rates)
        active, inactive = int(words[-2]), int(words[-1])
        if self._layout == "--thresholds":
            server = RealServer(address, port, upper=int(words[1]), lower=int(words[2]))
            return server, ServerStatus(active, inactive)
        if self._layout == "--persistent-conn":
            return RealServer(address, port, weight=int(words[1])), ServerStatus(active, inactive, int(words[2]))
        return RealServer(address, port, METHODS[words[1]], int(words[2])), ServerStatus(active, inactive)

    @staticmethod
    def _connection(words: list[str]) -> Connection:
        protocol = Protocol[words[0]]
        minutes, seconds = words[1].split(":")
        client, virtual, server = (endpoint(text, protocol) for text in words[3:6])
        left = int(minutes) * 60 + int(seconds) + 0.9  # rounded down when it is printed
        engine, data = words[6:] or ("", "")
        return Connection(protocol, *client, *virtual, *server, words[2], left, engine, data)


def endpoint(text: str, protocol: Protocol) -> tuple[Address, int]:
    found = parse_endpoint(text, protocol, NAMES)
    assert found is not None, text
    address, port = found
    assert port is not None, text
    return address, port


CASES = list(listings())


@pytest.mark.parametrize(
    ("recording", "command", "text", "figures"), CASES, ids=[f"{c[0]}-{i}{c[1][7:]}" for i, c in enumerate(CASES)]
)
def test_listing_is_the_recorded_one(recording: str, command: str, text: str, figures: str) -> None:
    director = Reading(command, figures).director
    stdout, stderr = io.StringIO(), io.StringIO()
    code = run(shlex.split(command)[1:], "ipvsadm", io.StringIO(), stdout, stderr, lambda: director, NAMES)
    assert (stdout.getvalue(), stderr.getvalue(), code) == (text, "", 0)


def test_the_recordings_hold_every_kind_of_listing() -> None:
    commands = {command for _, command, _, _ in CASES}
    for wanted in ("-Ln", "-Lnc", "-Lc", "-Ln --stats", "-Ln --rate", "-Ln --persistent-conn", "-Ln --thresholds"):
        assert f"ipvsadm {wanted}" in commands
    assert any("K " in text for _, _, text, _ in CASES)
