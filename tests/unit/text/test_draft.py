# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from bpvs.model import Family, Protocol, ServiceKey, Tunnel, TunnelChecksum, TunnelType
from bpvs.text.draft import Draft
from bpvs.text.errors import UsageError
from bpvs.text.names import Resolver


def draft(*options: tuple[str, str | None]) -> Draft:
    made = Draft(Resolver())
    for name, value in options:
        made.take(name, value)
    return made


def test_the_server_takes_its_port_from_an_earlier_service() -> None:
    service, server = ("tcp-service", "10.0.0.1:80"), ("real-server", "10.0.0.2")
    assert draft(service, server).server_port == 80
    assert draft(server, service).server_port == 0


def test_an_ipv6_service_resets_the_mask() -> None:
    assert draft(("netmask", "255.0.0.0"), ("tcp-service", "2001:db8::1")).netmask() is None
    assert draft(("tcp-service", "2001:db8::1"), ("netmask", "64x")).netmask() == 64
    assert draft(("netmask", "24"), ("tcp-service", "10.0.0.1")).netmask() == 24


def test_ipv6_belongs_to_a_mark() -> None:
    assert draft(("fwmark-service", " 7"), ("ipv6", None), ("ipv6", None)).key() == ServiceKey.marked(7, Family.IPV6)
    with pytest.raises(UsageError) as caught:
        draft(("ipv6", None), ("fwmark-service", "7"))
    assert str(caught.value) == "-6 used before -f\n"


def test_names_are_cut_silently() -> None:
    made = draft(("scheduler", "s" * 40), ("pe", "p" * 40), ("mcast-interface", "i" * 40))
    assert (len(made.scheduler), len(made.engine), len(made.interface)) == (15, 16, 15)


def test_tunnel_settings() -> None:
    made = draft(("ipip", None), ("tun-type", "gue"), ("tun-port", "6080"), ("tun-remcsum", None))
    assert made.tunnel() == Tunnel(TunnelType.GUE, 6080, TunnelChecksum.REMOTE)


def test_sort_may_repeat_and_counts_for_nothing() -> None:
    assert draft(("sort", None), ("sort", None)).given == set()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("weight", "2147483648", "illegal weight specified"),
        ("u-threshold", "-1", "illegal u_threshold specified"),
        ("l-threshold", "x", "illegal l_threshold specified"),
        ("tun-port", "0", "illegal tunnel port specified"),
        ("tun-type", "vxlan", "illegal tunnel type specified"),
        ("syncid", "256", "illegal syncid specified"),
        ("sync-maxlen", "0", "illegal sync-maxlen specified"),
        ("mcast-port", "65536", "illegal mcast-port specified"),
        ("mcast-ttl", "0", "illegal mcast-ttl specified"),
        ("mcast-group", "10.0.0.1", "invalid IPv4 mcast-group `10.0.0.1'"),
        ("mcast-group", "2001:db8::1", "invalid IPv6 mcast-group `2001:db8::1'"),
        ("mcast-group", "abc", "invalid IPv4 mcast-group `abc'"),
        ("persistent", "0", "invalid timeout value `0' specified"),
        ("fwmark-service", "4294967296", "invalid fwmark value `4294967296' specified"),
        ("netmask", "nonsense", "illegal virtual server persistent mask specified"),
        ("udp-service", "10.0.0.1:x", "illegal virtual server address[:port] specified"),
        ("real-server", "[::1]", "illegal real server address[:port] specified"),
    ],
)
def test_wrong_values(option: str, value: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        draft((option, value))
    assert str(caught.value) == message


@pytest.mark.parametrize("group", ["224.0.0.81", "239.255.255.255", "ff05::8848"])
def test_multicast_groups(group: str) -> None:
    assert draft(("mcast-group", group)).group == group


def test_a_repeated_option_is_wrong_whatever_its_value() -> None:
    for first, second, name in [
        (("weight", "1"), ("weight", "x"), "weight"),
        (("ipip", None), ("masquerading", None), "forwarding-method"),
        (("tcp-service", "10.0.0.1:80"), ("fwmark-service", "x"), "service-address"),
    ]:
        with pytest.raises(UsageError, match=f"multiple '{name}' options specified"):
            draft(first, second)


def test_the_mask_of_an_ipv6_service_is_a_prefix_length() -> None:
    with pytest.raises(UsageError, match="illegal ipv6 netmask specified"):
        draft(("tcp-service", "2001:db8::1"), ("netmask", "129"))


def test_persistence_without_a_number_lasts_six_minutes() -> None:
    made = draft(("udp-service", "10.0.0.1"), ("persistent", None))
    assert made.persistence == 360
    assert made.key() == ServiceKey(Family.IPV4, Protocol.UDP, made.key().address, 0)


def test_a_missing_server_is_refused() -> None:
    with pytest.raises(UsageError, match="illegal real server"):
        draft().server_address()
