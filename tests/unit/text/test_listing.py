# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from bpvs.model import (
    FLAG_1,
    FLAG_3,
    Address,
    Counters,
    Family,
    Method,
    Protocol,
    Rates,
    RealServer,
    ServerStatus,
    ServiceKey,
    ServiceStatus,
    Tunnel,
    TunnelChecksum,
    TunnelType,
    VirtualService,
)
from bpvs.testing import FixedResolver
from bpvs.text.endpoint import EndpointPrinter
from bpvs.text.listing import TITLES, Listing, service_details, tunnel_info

VIP = Address.parse("10.0.0.1")
KEY = ServiceKey.at(Protocol.TCP, VIP, 80)
SERVER = RealServer(Address.parse("10.0.0.11"), 8080, Method.NAT, 5, 100, 50)
STATUS = ServiceStatus(
    Counters(1, 2, 3, 4, 500_000_000),
    Rates(1, 2, 3, 4, 5),
    {(SERVER.address, 8080): ServerStatus(7, 8, 9, Counters(6, 7, 8, 9, 10), Rates(10, 11, 12, 13, 500_000_000))},
)


def lines(*options: str) -> list[str]:
    listing = Listing(frozenset(options), EndpointPrinter())
    return list(listing.entries([(VirtualService(KEY, "rr"), [SERVER])], {KEY: STATUS}))


@pytest.mark.parametrize(
    ("options", "service", "server"),
    [
        ([], "TCP  10.0.0.1:80 rr\n", "  -> 10.0.0.11:8080               Masq    5      7          8         \n"),
        (
            ["stats"],
            "TCP  10.0.0.1:80                         1        2        3        4  500000K\n",
            "  -> 10.0.0.11:8080                      6        7        8        9       10\n",
        ),
        (
            ["rate", "exact"],
            "TCP  10.0.0.1:80                         1        2        3        4        5\n",
            "  -> 10.0.0.11:8080                     10       11       12       13 500000000\n",
        ),
        (
            ["thresholds"],
            "TCP  10.0.0.1:80 rr\n",
            "  -> 10.0.0.11:8080               100        50         7          8         \n",
        ),
        (
            ["persistent-conn"],
            "TCP  10.0.0.1:80 rr\n",
            "  -> 10.0.0.11:8080               5         9           7          8         \n",
        ),
        (
            ["tun-info"],
            "TCP  10.0.0.1:80 rr\n",
            "  -> 10.0.0.11:8080               Masq    n/a           5      7          8         \n",
        ),
    ],
)
def test_layouts(options: list[str], service: str, server: str) -> None:
    assert lines(*options) == [service, server]


def test_the_first_layout_wins() -> None:
    assert lines("tun-info", "thresholds", "rate", "stats") == lines("stats")
    assert Listing(frozenset(["rate", "thresholds"]), EndpointPrinter()).title() == TITLES["rate"]


def test_unknown_servers_show_zeros() -> None:
    listing = Listing(frozenset(), EndpointPrinter())
    assert list(listing.entries([(VirtualService(KEY, "rr"), [SERVER])], {}))[1].split()[-2:] == ["0", "0"]


def test_marks_are_signed_and_name_ipv6() -> None:
    listing = Listing(frozenset(), EndpointPrinter())
    services = [
        VirtualService(ServiceKey.marked(4_000_000_000), "rr"),
        VirtualService(ServiceKey.marked(7, Family.IPV6), "rr"),
    ]
    assert list(listing.entries([(s, []) for s in services], {})) == ["FWM  -294967296 rr\n", "FWM  7 IPv6 rr\n"]


def test_long_ipv4_names_are_cut_and_ipv6_names_are_not() -> None:
    names = FixedResolver({"10.0.0.1": ["v" * 40], "2001:db8::1": ["w" * 40]}, {})
    listing = Listing(frozenset(), EndpointPrinter(names))
    six = ServiceKey.at(Protocol.TCP, Address.parse("2001:db8::1"), 80)
    content = [(VirtualService(KEY, "rr"), [RealServer(VIP, 80)]), (VirtualService(six, "rr"), [])]
    first, server, second = listing.entries(content, {})
    assert first == f"TCP  {'v' * 28} rr\n"
    assert server.startswith(f"  -> {'v' * 28} Route")
    assert second == f"TCP  [{'w' * 40}]:80 rr\n"


@pytest.mark.parametrize(
    ("service", "text"),
    [
        (VirtualService(KEY), ""),
        (VirtualService(KEY, persistence=60), " persistent 60"),
        (VirtualService(KEY, persistence=60, netmask=0xFFFFFF00), " persistent 60 mask 255.255.255.0"),
        (VirtualService(KEY, netmask=0xFFFFFF00), ""),
        (VirtualService(KEY, engine="sip"), ""),
        (VirtualService(KEY, persistence=60, engine="sip", ops=True), " persistent 60 pe sip ops"),
        (VirtualService(KEY, persistence=60, ops=True, synproxy=True), " persistent 60 ops synproxy"),
        (VirtualService(KEY, synproxy=True), " synproxy"),
        (VirtualService(KEY, "sh", FLAG_1), " (sh-fallback)"),
        (VirtualService(KEY, "sh", FLAG_3), " ()"),
    ],
)
def test_details_of_a_service(service: VirtualService, text: str) -> None:
    assert service_details(service) == text


@pytest.mark.parametrize(
    ("tunnel", "text"),
    [
        (Tunnel(), "ipip"),
        (Tunnel(TunnelType.GUE, 6080, TunnelChecksum.REMOTE), "gue:6080:r+c"),
        (Tunnel(TunnelType.GRE, 0, TunnelChecksum.FULL), "gre:+c"),
    ],
)
def test_tunnel_column(tunnel: Tunnel, text: str) -> None:
    server = RealServer(VIP, 80, Method.TUNNEL, tunnel=tunnel)
    assert tunnel_info(server, Method.TUNNEL) == text
    assert tunnel_info(server, Method.LOCAL) == "n/a"


@pytest.mark.parametrize(
    ("method", "is_local", "word"),
    [(Method.FULLNAT, False, "FullNat"), (Method.FULLNAT, True, "Local"), (Method.TUNNEL, True, "Local")],
)
def test_the_column_of_the_method(method: Method, is_local: bool, word: str) -> None:
    status = {KEY: ServiceStatus(servers={(VIP, 80): ServerStatus(is_local=is_local)})}
    content = [(VirtualService(KEY, "rr"), [RealServer(VIP, 80, method)])]
    for layout, column in (("default", f" {word:7} 1 "), ("tun-info", f" {word:7} n/a           1 ")):
        _, line = Listing(frozenset([layout]), EndpointPrinter()).entries(content, status)
        assert line[33:].startswith(column)
