# SPDX-License-Identifier: GPL-2.0-or-later
"""What is printed can be read back: addresses, endpoints, saved services and servers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bpvs.ipvsadm.session import apply
from bpvs.model import (
    Address,
    Family,
    Method,
    Protocol,
    RealServer,
    ServiceKey,
    Table,
    Tunnel,
    TunnelChecksum,
    TunnelType,
    VirtualService,
)
from bpvs.text.command import parse_command, restore_words
from bpvs.text.endpoint import EndpointPrinter, parse_endpoint
from bpvs.text.names import Resolver
from bpvs.text.save import save_lines

PATIENT = settings(deadline=None)  # a busy machine may stall longer than hypothesis would wait

IPV4 = st.binary(min_size=4, max_size=4).map(lambda packed: Address(Family.IPV4, packed))
IPV6 = st.binary(min_size=16, max_size=16).map(lambda packed: Address(Family.IPV6, packed))
ADDRESSES = IPV4 | IPV6
PORTS = st.integers(1, 65535)
# -S writes marks from 2^31 on as negative numbers, which -R refuses: so does ipvsadm.
MARKS = st.builds(ServiceKey.marked, st.integers(1, 2**31 - 1), st.sampled_from(Family))
KEYS = st.builds(ServiceKey.at, st.sampled_from(Protocol), ADDRESSES, PORTS) | MARKS
SCHEDULERS = st.sampled_from(["rr", "wrr", "wlc", "sh", "mh", "none"])
TUNNELS = (
    st.just(Tunnel())
    | st.builds(Tunnel, st.just(TunnelType.GUE), PORTS, st.sampled_from(TunnelChecksum))
    | st.builds(Tunnel, st.just(TunnelType.GRE), st.just(0), st.sampled_from(list(TunnelChecksum)[:2]))
)


@st.composite
def services(draw: st.DrawFn) -> VirtualService:
    """Services that a saved line can describe: a mask only with persistence, flag-3 not with sh and mh."""
    key = draw(KEYS)
    scheduler = draw(SCHEDULERS)
    persistence = draw(st.none() | st.integers(1, 2678400))
    masks = st.integers(1, 127) if key.family == Family.IPV6 else st.integers(0, 2**32 - 2)
    return VirtualService(
        key,
        scheduler,
        draw(st.sampled_from([0, 0x08, 0x10, 0x18] if scheduler in ("sh", "mh") else range(0, 0x40, 8))),
        persistence,
        draw(st.none() | masks) if persistence is not None else None,
        draw(st.sampled_from(["", "sip"])),
        draw(st.booleans()) and (key.fwmark > 0 or key.protocol == Protocol.UDP),
        draw(st.booleans()) and (key.fwmark > 0 or key.protocol == Protocol.TCP),
    )


@st.composite
def servers(draw: st.DrawFn, key: ServiceKey) -> RealServer:
    """Servers that ipvsadm would take for this service: other families and ports only where the method allows it."""
    method = draw(st.sampled_from([Method.NAT, Method.ROUTE, Method.TUNNEL, Method.FULLNAT]))
    is_ipv6 = key.family == Family.IPV6
    same = IPV6 if is_ipv6 else IPV4
    address = draw(ADDRESSES if method == Method.TUNNEL or (method == Method.FULLNAT and is_ipv6) else same)
    free_port = method in (Method.NAT, Method.FULLNAT) or key.fwmark
    port = draw(st.integers(0, 65535)) if free_port else key.port
    tunnel = draw(TUNNELS) if method == Method.TUNNEL else Tunnel()
    return RealServer(address, port, method, draw(st.integers(0, 2**31 - 1)), tunnel=tunnel)


LOCALS = ADDRESSES.filter(lambda address: address.is_routable)


@st.composite
def contents(draw: st.DrawFn) -> tuple[VirtualService, list[RealServer], list[Address]]:
    """A service with all that a table lets it have."""
    service = draw(services())
    past = (Method.ROUTE, Method.TUNNEL) if service.synproxy else ()
    fitting = servers(service.key).filter(lambda server: server.method not in past)
    sources = LOCALS if service.key.family == Family.IPV6 else LOCALS.filter(lambda address: not address.is_ipv6)
    return (
        service,
        draw(st.lists(fitting, max_size=3, unique_by=lambda server: (server.address, server.port))),
        draw(st.lists(sources, max_size=3, unique=True)),
    )


@PATIENT
@given(ADDRESSES)
def test_addresses(address: Address) -> None:
    assert Address.parse(str(address)) == address
    assert Address.from_mapped(address.family, address.mapped) == address
    assert len(address.mapped) == 16


@PATIENT
@given(ADDRESSES, st.integers(0, 65535))
def test_endpoints(address: Address, port: int) -> None:
    text = EndpointPrinter().text(address, port, Protocol.TCP)
    assert parse_endpoint(text, Protocol.TCP, Resolver()) == (address, port)


@PATIENT
@given(st.text(max_size=60), st.none() | st.sampled_from(Protocol))
def test_any_text_is_an_endpoint_or_is_not(text: str, protocol: Protocol | None) -> None:
    found = parse_endpoint(text, protocol, Resolver())
    if found is not None:
        address, port = found
        assert port is None or 0 <= port <= 65535
        again = EndpointPrinter().text(address, port or 0, protocol)
        assert parse_endpoint(again, protocol, Resolver()) == (address, port or 0)


@PATIENT
@given(services())
def test_saved_services(service: VirtualService) -> None:
    (line,) = save_lines([(service, [], [])], EndpointPrinter())
    command = parse_command(restore_words(line), "ipvsadm", Resolver())
    assert (command.name, command.service) == ("add-service", service)


@PATIENT
@given(st.data())
def test_saved_servers(data: st.DataObject) -> None:
    service = VirtualService(data.draw(KEYS), "rr")
    server = data.draw(servers(service.key))
    _, line = save_lines([(service, [server], [])], EndpointPrinter())
    command = parse_command(restore_words(line), "ipvsadm", Resolver())
    assert (command.name, command.key, command.server) == ("add-server", service.key, server)


@PATIENT
@given(st.lists(contents(), max_size=5, unique_by=lambda content: content[0].key))
def test_saved_tables(content: list[tuple[VirtualService, list[RealServer], list[Address]]]) -> None:
    table = Table()
    for line in save_lines(content, EndpointPrinter()):
        apply(parse_command(restore_words(line), "ipvsadm", Resolver()), table)
    assert list(table.services()) == [service for service, _, _ in content]
    for service, real, addresses in content:
        assert list(table.servers(service.key)) == real[::-1]
        assert table.locals(service.key) == tuple(addresses)
