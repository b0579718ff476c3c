# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from bpvs.model import Address, Method, RealServer, Tunnel, TunnelChecksum, TunnelType


def test_a_server_begins_with_the_defaults_of_ipvsadm() -> None:
    server = RealServer(Address.parse("192.0.2.7"), 80)
    assert (server.method, server.weight, server.upper, server.lower) == (Method.ROUTE, 1, 0, 0)
    assert server.tunnel == Tunnel(TunnelType.IPIP, 0, TunnelChecksum.NONE)


def test_methods_have_the_numbers_of_the_kernel() -> None:
    assert [Method(number).name for number in range(4)] == ["NAT", "LOCAL", "TUNNEL", "ROUTE"]
