# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from bpvs.ipvsadm.resolver import SystemResolver
from bpvs.model import Address, Protocol

SYSTEM = SystemResolver()


def test_the_local_host_has_an_address() -> None:
    assert SYSTEM.address_of("localhost") == bytes((127, 0, 0, 1))


@pytest.mark.parametrize("name", ["", "<broadcast>", "no such host.invalid", "x" * 300, "\udcff"])
def test_what_is_no_host_has_none(name: str) -> None:
    assert SYSTEM.address_of(name) is None


def test_ports_follow_the_services_database() -> None:
    port = SYSTEM.port_of("http", Protocol.TCP)
    assert port in (80, None)
    if port is None:
        pytest.skip("this system has no services database")
    assert SYSTEM.service_of(80, Protocol.TCP) == "http"
    assert SYSTEM.port_of("HTTP", Protocol.TCP) is None


def test_unknown_ports_have_no_name() -> None:
    assert SYSTEM.service_of(64999, Protocol.UDP) is None
    assert SYSTEM.port_of("no-such-service", Protocol.UDP) is None
    assert SYSTEM.port_of("\udcff", Protocol.UDP) is None


def test_the_local_address_has_a_name() -> None:
    assert (SYSTEM.host_of(Address.parse("127.0.0.1")) or "").startswith("localhost")
