# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from bpvs.model import Address, Family, LocalStatus, Protocol, ServiceKey, ServiceStatus
from bpvs.testing import FixedResolver
from bpvs.text.endpoint import EndpointPrinter
from bpvs.text.locals import local_lines, local_title

KEY = ServiceKey.at(Protocol.TCP, Address.parse("192.0.2.1"), 80)
LOCALS = (Address.parse("10.0.1.9"), Address.parse("10.0.1.10"))


def test_the_columns() -> None:
    status = {KEY: ServiceStatus(locals={LOCALS[0]: LocalStatus(64512, 7)})}
    assert local_title() == "VIP:VPORT            TOTAL    SNAT_IP              CONFLICTS  CONNS     \n"
    assert list(local_lines([(KEY, LOCALS)], status, EndpointPrinter())) == [
        "192.0.2.1:80         2        \n",
        "                              10.0.1.9             7          64512     \n",
        "                              10.0.1.10            0          0         \n",
    ]


def test_services_are_named_and_local_addresses_are_not() -> None:
    names = EndpointPrinter(FixedResolver({"192.0.2.1": ["vip"], "10.0.1.9": ["lip"]}, {("http", "tcp"): 80}))
    service, local = local_lines([(KEY, LOCALS[:1])], {}, names)
    assert (service, local.split()[0]) == ("vip:http             1        \n", "10.0.1.9")


def test_marks_and_ipv6() -> None:
    six = Address.parse("2001:db8::1")
    keys = [ServiceKey.marked(7, Family.IPV6), ServiceKey.at(Protocol.UDP, six, 53)]
    lines = list(local_lines([(key, (six,)) for key in keys], {}, EndpointPrinter()))
    assert lines[0] == "FWM  7 IPv6          1        \n"
    assert lines[2] == "[2001:db8::1]:53     1        \n"
    assert lines[1] == lines[3] == f"{'':30}2001:db8::1          0          0         \n"
