# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from bpvs.model import Address, Protocol
from bpvs.text.names import PROTOCOL_NAMES, Resolver


def test_the_base_resolver_knows_nothing() -> None:
    nobody = Resolver()
    assert nobody.address_of("localhost") is None
    assert nobody.port_of("http", Protocol.TCP) is None
    assert nobody.host_of(Address.parse("127.0.0.1")) is None
    assert nobody.service_of(80, Protocol.TCP) is None


def test_every_protocol_has_its_name_in_the_services_database() -> None:
    assert {PROTOCOL_NAMES[protocol] for protocol in Protocol} == {"tcp", "udp", "sctp"}
