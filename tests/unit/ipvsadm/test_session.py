# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import io

from bpvs.ipvsadm.session import Session, apply
from bpvs.model import Address, Protocol, RealServer, ServiceKey, Table, VirtualService
from bpvs.testing import FixedResolver
from bpvs.text.command import parse_command
from bpvs.text.names import Resolver

KEY = ServiceKey.at(Protocol.TCP, Address.parse("10.0.0.1"), 80)


def changed(line: str) -> Table:
    table = Table.of([(VirtualService(KEY, "rr"), [RealServer(Address.parse("10.0.0.2"), 80)], ())])
    apply(parse_command(line.split(), "ipvsadm", FixedResolver({}, {})), table)
    return table


def test_each_command_does_its_work() -> None:
    service = "-t 10.0.0.1:80"
    assert not changed(f"-D {service}").has(KEY)
    assert len(changed("-C")) == 0
    assert changed(f"-E {service} -s wrr").service(KEY).scheduler == "wrr"
    assert len(changed("-A -t 10.0.0.9:80")) == 2
    assert list(changed(f"-d {service} -r 10.0.0.2").servers(KEY)) == []
    assert [s.weight for s in changed(f"-e {service} -r 10.0.0.2 -w 9").servers(KEY)] == [9]
    assert [str(s.address) for s in changed(f"-a {service} -r 10.0.0.3").servers(KEY)] == ["10.0.0.3", "10.0.0.2"]


def test_local_addresses_come_and_go() -> None:
    table = changed("-P -t 10.0.0.1:80 -z 10.0.1.9")
    assert [str(address) for address in table.locals(KEY)] == ["10.0.1.9"]
    assert table.has(KEY)
    apply(parse_command(["-Q", "-t10.0.0.1:80", "-z10.0.1.9"], "ipvsadm", FixedResolver({}, {})), table)
    assert table.locals(KEY) == ()


def test_zero_knows_one_service_or_all() -> None:
    assert changed("-Z -t 10.0.0.1:80").zeroed == {KEY}
    assert changed("-Z").zeroed_all
    assert changed("-Z -t 0.0.0.0:0").zeroed_all


def test_complaints_come_after_the_output_so_far() -> None:
    both = io.StringIO()
    session = Session("ipvsadm", both, both, Resolver())
    session.stdout.write("listing\n")
    session.complain("complaint")
    assert both.getvalue() == "listing\ncomplaint\n"
