# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from bpvs.model import FLAG_2, Address, Method, Protocol, RealServer, ServiceKey, Tunnel, TunnelType, VirtualService
from bpvs.testing import FixedResolver
from bpvs.text.endpoint import EndpointPrinter
from bpvs.text.save import save_lines

KEY = ServiceKey.at(Protocol.UDP, Address.parse("10.0.0.1"), 53)


def saved(service: VirtualService, *servers: RealServer) -> list[str]:
    return list(save_lines([(service, servers, ())], EndpointPrinter()))


def test_items_come_in_a_fixed_order() -> None:
    service = VirtualService(KEY, "sh", FLAG_2, 60, 0xFFFFFF00, "sip", ops=True)
    assert saved(service) == ["-A -u 10.0.0.1:53 -s sh -p 60 -M 255.255.255.0 --pe sip -o -b sh-port\n"]


def test_thresholds_and_the_mask_of_a_plain_service_are_not_saved() -> None:
    server = RealServer(Address.parse("10.0.0.2"), 53, Method.NAT, 5, upper=10, lower=3)
    assert saved(VirtualService(KEY, "rr", netmask=0xFFFF0000), server) == [
        "-A -u 10.0.0.1:53 -s rr\n",
        "-a -u 10.0.0.1:53 -r 10.0.0.2:53 -m -w 5\n",
    ]


def test_tunnels_are_always_written_out() -> None:
    servers = [
        RealServer(Address.parse("10.0.0.2"), 53, Method.TUNNEL),
        RealServer(Address.parse("10.0.0.3"), 53, Method.TUNNEL, tunnel=Tunnel(TunnelType.GUE, 6080)),
    ]
    assert [line.partition(" -i -w 1 ")[2] for line in saved(VirtualService(KEY), *servers)[1:]] == [
        "--tun-type ipip\n",
        "--tun-type gue --tun-port 6080 --tun-nocsum\n",
    ]


def test_local_addresses_stand_between_the_service_and_its_servers_as_numbers() -> None:
    names = EndpointPrinter(FixedResolver({"10.0.0.1": ["vip"], "10.0.1.9": ["lip"]}, {}))
    server = RealServer(Address.parse("10.0.0.2"), 8053, Method.FULLNAT)
    addresses = (Address.parse("10.0.1.9"), Address.parse("2001:db8::1"))
    assert list(save_lines([(VirtualService(KEY, "rr"), [server], addresses)], names)) == [
        "-A -u vip:53 -s rr\n",
        "-P -u vip:53 -z 10.0.1.9\n",
        "-P -u vip:53 -z 2001:db8::1\n",
        "-a -u vip:53 -r 10.0.0.2:8053 -b -w 1\n",
    ]


def test_synproxy_comes_last() -> None:
    service = VirtualService(ServiceKey.marked(7), "sh", FLAG_2, 60, ops=True, synproxy=True)
    assert saved(service) == ["-A -f 7 -s sh -p 60 -o -b sh-port -j enable\n"]


def test_large_marks_are_written_negative() -> None:
    assert saved(VirtualService(ServiceKey.marked(3_000_000_000), "rr")) == ["-A -f -1294967296 -s rr\n"]
