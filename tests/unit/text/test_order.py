# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import random

from bpvs.model import Address, Family, Protocol, RealServer, ServiceKey, VirtualService
from bpvs.text.order import sorted_servers, sorted_services


def service(text: str, protocol: Protocol = Protocol.TCP, port: int = 80) -> VirtualService:
    return VirtualService(ServiceKey.at(protocol, Address.parse(text), port))


def shown(servers: list[RealServer]) -> list[str]:
    return [f"{s.address}:{s.port}" for s in servers]


def test_services_by_mark_family_protocol_address_port() -> None:
    right = [
        VirtualService(ServiceKey.marked(4_000_000_000)),
        service("10.0.0.1"),
        service("10.0.0.1", port=443),
        service("10.0.0.2"),
        service("10.0.0.1", Protocol.UDP),
        service("10.0.0.1", Protocol.SCTP),
        service("2001:db8::1"),
        service("2001:db8::2"),
        VirtualService(ServiceKey.marked(1)),
        VirtualService(ServiceKey.marked(1, Family.IPV6)),
        VirtualService(ServiceKey.marked(2)),
    ]
    mixed = right[:]
    for seed in range(20):
        random.Random(seed).shuffle(mixed)  # noqa: S311 - any order will do
        assert sorted_services(mixed) == right


def test_far_apart_addresses_come_out_as_recorded() -> None:
    # Recorded: newest first in, listing out. 200.0.0.1 and 8.8.4.4 compare the wrong way round.
    newest_first = ["200.0.0.1", "10.0.0.13", "8.8.4.4", "172.16.9.9", "192.168.5.5", "10.0.0.11", "10.0.0.12"]
    servers = [RealServer(Address.parse(text), 80) for text in newest_first]
    assert shown(sorted_servers(servers))[:4] == ["172.16.9.9:80", "192.168.5.5:80", "200.0.0.1:80", "8.8.4.4:80"]


def test_the_first_word_decides_between_families() -> None:
    servers = [RealServer(Address.parse(text), 80) for text in ("2001:db8::11", "10.0.0.50", "::1", "10.0.0.49")]
    assert shown(sorted_servers(servers)) == ["::1:80", "10.0.0.49:80", "10.0.0.50:80", "2001:db8::11:80"]


def test_near_addresses_come_out_ascending() -> None:
    servers = [RealServer(Address.parse(f"10.0.{i}.{j}"), p) for i in (1, 0) for j in (9, 200, 1) for p in (443, 80)]
    assert sorted_servers(servers) == sorted(servers, key=lambda s: (s.address.packed, s.port))


def test_nothing_to_sort() -> None:
    assert sorted_servers([]) == sorted_services([]) == []
