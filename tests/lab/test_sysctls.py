# SPDX-License-Identifier: GPL-2.0-or-later
"""IPVS's settings on a real instance: read, changed, saved."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from bpvs.director import Director
from bpvs.lab.topology import Routed
from bpvs.lab.wait import until
from bpvs.model import InvalidSysctl
from bpvs.model.sysctls import default_sysctls, fixed_sysctls
from tests.lab.balancing import datagram_socket

pytestmark = pytest.mark.root


@pytest.fixture
def director(bare: Routed) -> Iterator[Director]:
    with bare.director.inside():
        yield Director()


def test_settings_can_be_read_before_there_is_an_instance_and_setting_one_loads_it(director: Director) -> None:
    assert director.sysctls() == default_sysctls() | fixed_sysctls()
    assert director.instance() is None
    director.set_sysctls({"drop_packet": 3, "lblc_expiration": 60})
    assert director.overview() is not None
    expected = default_sysctls() | fixed_sysctls() | {"drop_packet": 3, "lblc_expiration": 60}
    assert Director().sysctls() == expected
    with pytest.raises(InvalidSysctl):
        director.set_sysctls({"drop_packet": 0, "drop_entry": 4})
    assert director.sysctls() == expected


def test_the_command_shows_and_changes_settings_and_saving_keeps_them(bare: Routed) -> None:
    host = bare.director
    shown = host.bpvs("sysctl").checked().out.splitlines()
    assert [line.split()[0] for line in shown] == sorted(f"vs.{name}" for name in default_sysctls() | fixed_sysctls())
    assert host.bpvs("status").code == 3
    done = host.bpvs("sysctl", "-w", "net.ipv4.vs.drop_packet=3", "vs.sloppy_tcp=1", "vs.conntrack=0").checked()
    assert done.out == "vs.drop_packet = 3\nvs.sloppy_tcp = 1\nvs.conntrack = 0\n"
    assert host.bpvs("sysctl", "vs.drop_packet=0", "vs.drop_entry=4").code == 1
    assert "vs.drop_packet = 3                    # default 0\n" in host.bpvs("sysctl").out
    (found,) = json.loads(host.bpvs("sysctl", "--json", "vs.drop_packet").out)["sysctls"]
    assert (found["value"], found["default"], found["highest"]) == (3, 0, 3)
    saved = host.ipvsadm("-S", "-n").checked().out
    assert saved == "--sysctl vs.drop_packet=3\n--sysctl vs.sloppy_tcp=1\n"
    host.bpvs("down").checked()
    host.ipvsadm("-R", stdin=saved).checked()
    assert host.ipvsadm("-S", "-n").out == saved


def served(net: Routed, protocol: str, servers: int = 1) -> None:
    """A service on port 80 with the first of the three servers, by NAT to port 5353."""
    lines = [f"-A {protocol} {net.vip}:80 -s rr"]
    lines += [f"-a {protocol} {net.vip}:80 -r {address}:5353 -m" for address in net.addresses[:servers]]
    net.director.ipvsadm("-R", stdin="\n".join(lines) + "\n").checked()


def set_to(net: Routed, *settings: str) -> None:
    net.director.bpvs("sysctl", "-w", *settings).checked()


def test_drop_packet_as_recorded(bare: Routed) -> None:
    """A new client port for each datagram: of IPVS the first was dropped, then every third."""
    served(bare, "-u")
    set_to(bare, "vs.am_droprate=3", "vs.drop_packet=3")
    words = []
    with closing(datagram_socket(bare.servers[0], socket.AF_INET, (bare.addresses[0], 5353))) as server:
        for number in range(12):
            with closing(datagram_socket(bare.client, socket.AF_INET)) as client:
                client.sendto(b"%d" % number, (bare.vip, 80))
            server.settimeout(0.3)
            try:
                words.append("ok" if server.recv(10) == b"%d" % number else "late")
            except TimeoutError:
                words.append("drop")
    assert " ".join(words) == "drop ok ok drop ok ok drop ok ok drop ok ok"
    assert '"DROP_DEFENCE": 4' in bare.director.bpvs("status", "--json").out


def test_a_server_is_told_that_nobody_waits_for_what_it_sends(bare: Routed) -> None:
    """nat_icmp_send: from the port on which it serves; without, and from others, it speaks as itself."""
    served(bare, "-u")
    there = (bare.clients.four(2), 9999)
    with (
        closing(datagram_socket(bare.client, socket.AF_INET, there)) as client,
        closing(datagram_socket(bare.servers[0], socket.AF_INET, (bare.addresses[0], 5353))) as server,
        closing(datagram_socket(bare.servers[0], socket.AF_INET, (bare.addresses[0], 7777))) as other,
    ):
        for one in (server, other):
            one.connect(there)
        server.send(b"stray")
        assert client.recvfrom(10) == (b"stray", (bare.addresses[0], 5353))
        set_to(bare, "vs.nat_icmp_send=1")
        server.send(b"stray")
        with pytest.raises(ConnectionRefusedError):
            server.recv(10)
        other.send(b"as it is")
        assert client.recvfrom(10) == (b"as it is", (bare.addresses[0], 7777))


def test_a_connection_ends_with_its_server_and_the_client_is_told(bare: Routed) -> None:
    """expire_nodest_conn: the next segment finds no connection, and the director's stack answers RST."""
    served(bare, "-t")
    with bare.servers[0].inside():
        listener = socket.create_server((bare.addresses[0], 5353))
    with bare.client.inside():
        client = socket.create_connection((bare.vip, 80), timeout=5)
    with closing(listener), closing(client):
        set_to(bare, "vs.expire_nodest_conn=1")
        bare.director.ipvsadm("-d", "-t", f"{bare.vip}:80", "-r", f"{bare.addresses[0]}:5353").checked()
        client.send(b"x")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_datagrams_of_a_client_whose_server_went_reach_another(bare: Routed) -> None:
    served(bare, "-u", servers=2)
    sockets = [
        datagram_socket(host, socket.AF_INET, (address, 5353))
        for host, address in zip(bare.servers, bare.addresses, strict=True)
    ]
    with closing(datagram_socket(bare.client, socket.AF_INET)) as client:
        client.sendto(b"1", (bare.vip, 80))
        assert sockets[1].recv(10) == b"1"  # the newest server comes first
        set_to(bare, "vs.expire_nodest_conn=1")
        bare.director.ipvsadm("-d", "-u", f"{bare.vip}:80", "-r", f"{bare.addresses[1]}:5353").checked()
        client.sendto(b"2", (bare.vip, 80))
        assert sockets[0].recv(10) == b"2"
    for one in sockets:
        one.close()


REUSED = {"vs.conn_reuse_mode=1": [2, 1, 0, 2], "vs.conn_reuse_mode=0": [2, 2, 2, 2]}


@pytest.mark.parametrize("setting", REUSED)
def test_the_same_client_port_again_as_recorded(bare: Routed, setting: str) -> None:
    """The server closes first, so that the client's port is free at once."""
    served(bare, "-t", servers=3)
    set_to(bare, setting)
    reached = []
    listeners = []
    for host, address in zip(bare.servers, bare.addresses, strict=True):
        with host.inside():
            listeners.append(socket.create_server((address, 5353)))
    for _ in range(4):
        with bare.client.inside():
            client = socket.create_connection((bare.vip, 80), timeout=5, source_address=("", 40000))
        ready = select.select(listeners, [], [], 5)[0]
        reached.append(listeners.index(ready[0]))
        ready[0].accept()[0].close()
        assert client.recv(1) == b""
        client.close()
        until(lambda: "TIME_WAIT" in bare.director.ipvsadm("-L", "-c", "-n").checked().out, "the end", 5)
    for one in listeners:
        one.close()
    assert reached == REUSED[setting]
