# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses of the table that the host does not own: which are told to the data path, and who can ask for them."""

from __future__ import annotations

import json
import socket
import struct

import pytest

from bpvs.director import Director
from bpvs.kernel import _abi
from bpvs.kernel.instance import Instance
from bpvs.lab.host import Host
from bpvs.lab.shell import own_tool
from bpvs.lab.topology import Routed
from bpvs.lab.wait import until
from bpvs.model import Address, Family
from bpvs.net.links import links
from bpvs.net.proxies import PROTOCOL
from tests.lab.test_fullnat import told

pytestmark = pytest.mark.root

LOCAL, LOCAL6 = "10.0.1.77", "fd01::12:3456"
GROUP6 = "ff02::1:ff12:3456"
VIRTUAL = _abi.FOREIGN_VIRTUAL
FULLNAT = _abi.FOREIGN_LOCAL


def balance(net: Routed, vip: str, server: str, *locals_: str) -> None:
    service = ("-t", f"{vip}:80")
    net.director.ipvsadm("-A", *service, "-s", "rr").checked()
    net.director.ipvsadm("-a", *service, "-r", f"{server}:8080", "-b").checked()
    for local in locals_:
        add_local(net, vip, local)


def add_local(net: Routed, vip: str, local: str) -> None:
    net.director.ipvsadm("-P", "-t", f"{vip}:80", "-z", local).checked()


def instance(host: Host) -> Instance:
    with host.inside():
        found = Director().instance()
    assert found is not None
    return found


def foreign(host: Host) -> dict[str, int]:
    found = instance(host)
    told = {}
    for key in found.foreign:
        value = found.foreign[key]
        assert value is not None
        family = Family.IPV4 if key.startswith(bytes(10) + b"\xff\xff") else Family.IPV6
        told[str(Address.from_mapped(family, key))] = struct.unpack("=I", value)[0]
    assert found.settings.load(0, "foreigners") == len(told)
    return told


def listening(host: Host) -> set[tuple[str, str]]:
    """Interfaces and IPv6 addresses of the proxy entries."""
    entries = json.loads(host.run("ip", "-j", "-6", "neighbour", "show", "proxy").checked().out)
    return {(one["dev"], one["dst"]) for one in entries}


def groups(host: Host, interface: str) -> set[str]:
    (found,) = json.loads(host.run("ip", "-j", "maddress", "show", "dev", interface).checked().out)
    return {one.get("address") or one["link"] for one in found["maddr"]}


def test_what_the_host_does_not_own_is_told_until_it_goes(bare: Routed) -> None:
    balance(bare, bare.vip, "10.0.1.11", "10.0.1.1", LOCAL)
    assert foreign(bare.director) == {LOCAL: FULLNAT}
    balance(bare, "10.9.0.200", "10.0.1.11", LOCAL)
    balance(bare, LOCAL, "10.0.1.11")
    assert foreign(bare.director) == {LOCAL: FULLNAT | VIRTUAL, "10.9.0.200": VIRTUAL}
    bare.director.ipvsadm("-D", "-t", "10.9.0.200:80").checked()
    bare.director.ipvsadm("-D", "-t", f"{LOCAL}:80").checked()
    assert foreign(bare.director) == {LOCAL: FULLNAT}
    bare.director.ipvsadm("-Q", "-t", f"{bare.vip}:80", "-z", LOCAL).checked()
    assert foreign(bare.director) == {}


@pytest.mark.parametrize("command", [["ipvsadm", "-Z"], ["bpvs", "up"]])
def test_an_address_that_the_host_gets_or_loses_is_seen_by_the_next_command(bare: Routed, command: list[str]) -> None:
    def look_again() -> None:
        tool, *arguments = command
        (bare.director.ipvsadm if tool == "ipvsadm" else bare.director.bpvs)(*arguments).checked()

    balance(bare, bare.vip, "10.0.1.11", LOCAL)
    bare.network.configure(bare.director, f"address add {LOCAL}/32 dev int")
    look_again()
    assert foreign(bare.director) == {}
    bare.network.configure(bare.director, f"address delete {LOCAL}/32 dev int")
    look_again()
    assert foreign(bare.director) == {LOCAL: FULLNAT}


def test_every_interface_hears_who_asks_for_an_ipv6_address(bare: Routed) -> None:
    before = {name: groups(bare.director, name) for name in ("ext", "int", "lo")}
    balance(bare, f"[{bare.vip6}]", "[fd01::11]", LOCAL6)
    assert listening(bare.director) == {("ext", LOCAL6), ("int", LOCAL6)}
    for name in ("ext", "int"):
        assert groups(bare.director, name) - before[name] == {GROUP6, "33:33:ff:12:34:56"}
    assert groups(bare.director, "lo") == before["lo"]
    bare.network.plug(bare.director, "late0", bare.network.switch("late"))
    bare.director.ipvsadm("-Z").checked()
    assert ("late0", LOCAL6) in listening(bare.director)
    bare.director.bpvs("up", "--dev", "int").checked()
    assert listening(bare.director) == {("int", LOCAL6)}
    bare.director.ipvsadm("-C").checked()
    assert listening(bare.director) == set()
    assert {name: groups(bare.director, name) for name in before} == before


def test_switches_that_listen_to_mld_are_told(bare: Routed) -> None:
    wires = bare.network.hosts["wire"]
    wires.run("ip", "link", "set", "inside", "type", "bridge", "mcast_snooping", "1").checked()

    def members() -> set[str]:
        return {
            entry["grp"]
            for table in json.loads(wires.run("bridge", "-j", "mdb", "show", "dev", "inside").checked().out)
            for entry in table["mdb"]
        }

    balance(bare, f"[{bare.vip6}]", "[fd01::11]", LOCAL6)
    until(lambda: GROUP6 in members(), "the switch to know of the group")


def test_virtual_addresses_are_not_asked_for(bare: Routed) -> None:
    """Only echo requests to them are answered; who has them is the router's knowledge."""
    balance(bare, "[fd09::200]", "[fd01::11]")
    assert foreign(bare.director) == {"fd09::200": VIRTUAL}
    assert listening(bare.director) == set()


def test_down_leaves_entries_of_others(bare: Routed) -> None:
    bare.director.run("ip", "-6", "neighbour", "add", "proxy", LOCAL6, "dev", "int").checked()
    bare.director.run("ip", "-6", "neighbour", "add", "proxy", "fd01::99", "dev", "ext").checked()
    theirs = listening(bare.director)
    balance(bare, f"[{bare.vip6}]", "[fd01::11]", LOCAL6)
    assert listening(bare.director) == theirs | {("ext", LOCAL6)}
    bare.director.bpvs("down").checked()
    assert listening(bare.director) == theirs
    assert f"proto {PROTOCOL}" not in bare.director.run("ip", "-6", "neighbour", "show", "proxy").out


def test_the_data_path_knows_the_addresses_of_the_interfaces(bare: Routed) -> None:
    balance(bare, bare.vip, "10.0.1.11", LOCAL)
    bare.network.configure(bare.director, "link set int address 02:00:00:00:00:77")
    bare.director.ipvsadm("-Z").checked()
    with bare.director.inside():
        expected = {link.index: link.mac for link in links() if link.name in ("ext", "int")}
    stations = instance(bare.director).stations
    assert {index: stations.bytes_at(index, _abi.STATION.offset("mac"), 6) for index in expected} == expected


def test_neighbours_reach_local_addresses_of_both_families(net: Routed) -> None:
    """Servers send their replies to an address that nobody has but the data path."""
    balance(net, net.vip, "10.0.1.11", LOCAL)
    balance(net, f"[{net.vip6}]", "[fd01::11]", LOCAL6)
    assert net.client.curl("--max-time", "5", f"http://{net.vip}/client").checked().out.split()[0] == LOCAL
    assert net.client.curl("--max-time", "5", f"http://[{net.vip6}]/client").checked().out.split()[0] == LOCAL6


@pytest.mark.parametrize("family", [Family.IPV4, Family.IPV6])
def test_a_removed_local_address_is_answered_for_while_connections_have_it(net: Routed, family: Family) -> None:
    """Neighbours that forget its station ask again; when the last connection is over, the next command lets it go."""
    vip, server, local, addresses = (net.vip, "10.0.1.11", LOCAL, "-4")
    if family is Family.IPV6:
        vip, server, local, addresses = (f"[{net.vip6}]", "[fd01::11]", LOCAL6, "-6")
    balance(net, vip, server, local)
    with net.client.inside():
        sock = socket.create_connection((vip.strip("[]"), 80), 5)
    with sock:
        assert told(sock) == local
        net.director.ipvsadm("-Q", "-t", f"{vip}:80", "-z", local).checked()
        assert foreign(net.director) == {local: FULLNAT}
        net.servers[0].run("ip", addresses, "neighbour", "flush", "dev", "eth0").checked()
        assert told(sock) == local

    conns = instance(net.director).conns

    def let_go() -> bool:
        conns.store(0, "seen", 1)  # long ago: it expires
        net.director.ipvsadm("-Z").checked()
        return not foreign(net.director)

    until(let_go, "the address to be free", 10)
    assert local not in {address for _, address in listening(net.director)}


@pytest.mark.parametrize("family", [Family.IPV4, Family.IPV6])
def test_neighbours_that_knew_the_address_elsewhere_are_told(bare: Routed, family: Family) -> None:
    """It was another director's. Those who had never asked learn nothing; nor does anybody on other links."""
    vip, server, local = (bare.vip, "10.0.1.11", LOCAL)
    if family is Family.IPV6:
        vip, server, local = (f"[{bare.vip6}]", "[fd01::11]", LOCAL6)
    knowing, _, unknowing = bare.servers
    place = ("neighbour", "replace", local, "lladdr", "02:00:00:00:00:66", "dev", "eth0", "nud")
    knowing.run("ip", *place, "reachable").checked()
    bare.client.run("ip", *place, "reachable").checked()
    balance(bare, vip, server, local)
    until(lambda: station_of(knowing, local) == director_mac(bare, "int"), "the server to follow")
    assert station_of(bare.client, local) == "02:00:00:00:00:66"
    assert station_of(unknowing, local) == ""
    knowing.run("ip", *place, "permanent").checked()
    knowing.run("ip", *place, "reachable").checked()
    bare.director.ipvsadm("-Z").checked()
    bare.network.configure(bare.director, "link set int down")
    add_local(bare, vip, local.replace("77", "78").replace("3456", "3457"))
    assert station_of(knowing, local) == "02:00:00:00:00:66", "it is told once"


def test_without_the_right_to_announce_the_table_changes_all_the_same(bare: Routed) -> None:
    balance(bare, bare.vip, "10.0.1.11")
    unable = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
    done = bare.director.run(*unable, *own_tool("ipvsadm"), "-P", "-t", f"{bare.vip}:80", "-z", LOCAL)
    assert (done.code, done.err) == (0, "")
    assert foreign(bare.director) == {LOCAL: FULLNAT}


def station_of(host: Host, address: str) -> str:
    """The MAC address that the host knows, or ""."""
    found = json.loads(host.run("ip", "-j", "neighbour", "show", address).checked().out)
    return str(found[0]["lladdr"]) if found else ""


def director_mac(net: Routed, name: str) -> str:
    with net.director.inside():
        return next(link.mac.hex(":") for link in links() if link.name == name)


@pytest.mark.parametrize("family", [Family.IPV4, Family.IPV6])
def test_a_neighbour_that_makes_sure_of_the_address_it_knows_is_answered(net: Routed, family: Family) -> None:
    """It asks by unicast, and forgets the address when nobody answers."""
    vip, server, local = (net.vip, "10.0.1.11", LOCAL)
    if family is Family.IPV6:
        vip, server, local = (f"[{net.vip6}]", "[fd01::11]", LOCAL6)
    balance(net, vip, server, local)
    net.client.curl("--max-time", "5", f"http://{vip}/").checked()
    net.servers[0].run("ip", "neighbour", "change", local, "dev", "eth0", "nud", "probe").checked()

    def state() -> str:
        (found,) = json.loads(net.servers[0].run("ip", "-j", "neighbour", "show", local).checked().out)
        return str(found["state"][0])

    assert until(lambda: (now := state()) != "PROBE" and now, "the end of the question", 10) == "REACHABLE"


def test_pings_of_virtual_addresses_that_the_host_does_not_own(bare: Routed) -> None:
    """By its link's MTU the client sends the longer ones in 3 and 14 fragments, and puts the answers together."""
    balance(bare, "10.8.0.100", "10.0.1.11")
    balance(bare, "[fd08::100]", "[fd01::11]")
    for virtual in ("10.8.0.100", "fd08::100"):
        for size in ("56", "3000", "20000"):
            bare.client.run("ping", "-c", "2", "-i", "0.01", "-W", "5", "-s", size, virtual).checked()
