# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import io

import pytest

from bpvs.ipvsadm.show import show
from bpvs.model import (
    Address,
    Connection,
    LocalStatus,
    Method,
    NoSuchService,
    Protocol,
    RealServer,
    ServerStatus,
    ServiceKey,
    ServiceStatus,
    Table,
    Timeouts,
    VirtualService,
)
from bpvs.testing import FixedResolver, MemoryDirector
from bpvs.text.command import parse_command

VIP = Address.parse("10.0.0.1")
KEY = ServiceKey.at(Protocol.TCP, VIP, 80)
SERVERS = [RealServer(Address.parse(f"10.0.0.{last}"), 80, Method.NAT) for last in (12, 13, 11)]
NAMES = FixedResolver({"10.0.0.1": ["vip"]}, {("http", "tcp"): 80})


def shown(line: str) -> str:
    director = MemoryDirector()
    director.statuses = {KEY: ServiceStatus(servers={(SERVERS[0].address, 80): ServerStatus(3, 4)})}
    director.entries = [Connection(Protocol.TCP, SERVERS[0].address, 1, VIP, 80, SERVERS[1].address, 80, "NONE", 1)]
    director.limits = Timeouts(1, 2, 3)
    table = Table.of([(VirtualService(KEY, "rr"), SERVERS, ())])
    stdout = io.StringIO()
    show(parse_command(line.split(), "ipvsadm", NAMES), director, table, NAMES, stdout)
    return stdout.getvalue()


def servers(text: str) -> list[str]:
    return [line.split()[1] for line in text.splitlines() if line.startswith("  -> 10")]


def test_sorted_or_newest_first() -> None:
    assert servers(shown("-L -n")) == ["10.0.0.11:80", "10.0.0.12:80", "10.0.0.13:80"]
    assert servers(shown("-L -n --nosort")) == ["10.0.0.12:80", "10.0.0.13:80", "10.0.0.11:80"]
    assert "  -> 10.0.0.12:80                 Masq    1      3          4         \n" in shown("-L -n")


def test_only_the_whole_table_has_the_version_line() -> None:
    assert shown("-L").startswith("IP Virtual Server version 1.2.1 (size=4096)\nProt ")
    assert shown("-L -t 10.0.0.1:80").startswith("Prot ")
    assert shown("-L -n").partition("\n")[2] == shown("-L -n -t 10.0.0.1:80")


def test_names_and_numbers() -> None:
    assert "TCP  vip:http rr\n" in shown("-L")
    assert "TCP  10.0.0.1:80 rr\n" in shown("-L -n")
    assert shown("-S").startswith("-A -t vip:http -s rr\n-a -t vip:http -r 10.0.0.11:http -m -w 1\n")


def test_other_listings() -> None:
    assert shown("-L -c -n").endswith("TCP 00:01  NONE        10.0.0.12:1        10.0.0.1:80        10.0.0.13:80\n")
    assert shown("-L -c").endswith("10.0.0.13:http\n")
    assert shown("-L --timeout") == "Timeout (tcp tcpfin udp): 1 2 3\n"
    assert shown("-L --daemon") == ""


def test_local_addresses_of_all_services_that_have_some_or_of_one() -> None:
    table = Table.of(
        [
            (VirtualService(ServiceKey.marked(7)), [], ()),
            (
                VirtualService(ServiceKey.at(Protocol.TCP, Address.parse("10.0.0.9"), 80)),
                [],
                [Address.parse("10.0.1.8")],
            ),
            (VirtualService(KEY), [], [Address.parse("10.0.1.9"), Address.parse("10.0.1.1")]),
        ]
    )
    director = MemoryDirector()
    director.statuses = {KEY: ServiceStatus(locals={Address.parse("10.0.1.1"): LocalStatus(5, 6)})}

    def words(line: str) -> list[list[str]]:
        stdout = io.StringIO()
        show(parse_command(line.split(), "ipvsadm", NAMES), director, table, NAMES, stdout)
        title, *lines = map(str.split, stdout.getvalue().splitlines())
        assert title[0] == "VIP:VPORT"
        return lines

    mine = [["10.0.0.1:80", "2"], ["10.0.1.9", "0", "0"], ["10.0.1.1", "6", "5"]]
    assert words("-G -n") == [*mine, ["10.0.0.9:80", "1"], ["10.0.1.8", "0", "0"]]
    assert words("-G -n -t 10.0.0.1:80") == mine
    assert words("-G -t 10.0.0.1:80")[0] == ["vip:http", "2"]
    assert words("-G -f 7") == [["FWM", "7", "0"]]
    with pytest.raises(NoSuchService):
        words("-G -f 8")


def test_a_service_that_is_not_there_prints_nothing() -> None:
    stdout = io.StringIO()
    with pytest.raises(NoSuchService):
        show(parse_command(["-L", "-f", "7"], "ipvsadm", NAMES), MemoryDirector(), None, NAMES, stdout)
    assert stdout.getvalue() == ""
