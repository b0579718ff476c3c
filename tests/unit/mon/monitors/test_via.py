# SPDX-License-Identifier: GPL-2.0-or-later
"""How `--via` is written, and which server stands for a host that no table lists any more."""

from __future__ import annotations

import pytest

from bpvs.model import Address, Method, Protocol, RealServer, ServiceKey, Table, VirtualService
from bpvs.mon.monitors.options import Common, parse
from bpvs.mon.monitors.verdict import Sick
from bpvs.mon.monitors.via import Via, _listed_key, _server, read_via
from bpvs.text.errors import UsageError

WRITTEN = {
    "192.0.2.1": Via("192.0.2.1"),
    "192.0.2.1:80": Via("192.0.2.1", 80),
    "2001:db8::1": Via("2001:db8::1"),
    "[2001:db8::1]": Via("2001:db8::1"),
    "[2001:DB8::1]:8080": Via("2001:db8::1", 8080),
}
WRONG = [
    "",
    "web",
    "web:80",
    "192.0.2.1:",
    "192.0.2.1:http",
    "192.0.2.1:65536",
    "192.0.2:80",
    "[192.0.2.1",
    ":80",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_addresses_with_and_without_port_are_read(text: str) -> None:
    via = read_via(text)
    assert via == WRITTEN[text]
    assert read_via(str(via)) == via


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_virtual_address_gets_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is no virtual address: right would be"):
        read_via(text)


@pytest.mark.parametrize("other", [["--mark", "7"], ["--interface", "eth0"]])
def test_it_goes_with_no_other_way(other: list[str]) -> None:
    with pytest.raises(UsageError, match="--via has a way of its own, without --mark and --interface"):
        parse("x.monitor", Common, ["--via", "192.0.2.1:80", *other])


def key(port: int) -> ServiceKey:
    return ServiceKey.at(Protocol.TCP, Address.parse("192.0.2.1"), port)


def server(number: int, method: Method) -> RealServer:
    return RealServer(Address.parse(f"10.0.0.{number}"), 8080, method, weight=0)


def table_with(port: int, *servers: RealServer) -> Table:
    table = Table()
    table.add_service(VirtualService(key(port)))
    for one in servers:
        table.add_server(key(port), one)
    return table


def test_a_server_is_as_it_is_listed_then_as_it_was_then_as_the_newest_one_is() -> None:
    both = table_with(80, server(1, Method.TUNNEL), server(2, Method.NAT))
    assert _server(both, key(80), "10.0.0.1") == server(1, Method.TUNNEL)
    one = table_with(80, server(2, Method.NAT))
    assert _server(one, key(80), "10.0.0.1") == server(1, Method.TUNNEL)
    assert _server(one, key(80), "10.0.0.3") == RealServer(Address.parse("10.0.0.3"), 8080, Method.NAT)


def test_without_any_server_nobody_knows() -> None:
    found = _server(table_with(81), key(81), "10.0.0.9")
    assert isinstance(found, Sick)
    assert "nobody knows how this one would be reached" in str(found)


def test_a_service_for_all_ports_serves_this_one() -> None:
    assert _listed_key(table_with(0), key(80)) == key(0)
    with pytest.raises(Sick, match=r"TCP 192\.0\.2\.1:81 is no virtual service of this director"):
        _listed_key(table_with(80), key(81))
