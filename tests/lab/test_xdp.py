# SPDX-License-Identifier: GPL-2.0-or-later
"""The XDP program between real stacks: what it forwards, and what it leaves to TC, arrives like with TC alone."""

from __future__ import annotations

import hashlib
import json
import select
import socket
from collections import Counter
from pathlib import Path

import pytest

from bpvs.lab import listing, offload
from bpvs.lab.topology import Routed
from bpvs.lab.wait import until
from bpvs.lab.webserver import blocks, checksum
from bpvs.net.links import links
from tests.packets.listing import gateways, seen

pytestmark = pytest.mark.root

SIZE = 16 << 20
ETH_P_ALL = 3


@pytest.fixture
def xdp(net: Routed) -> Routed:
    """The director's interfaces carry the native XDP program; frames come as from a wire, with complete checksums."""
    offload.behave_as_hardware(net.network, "director")
    net.director.bpvs("up", "--mode", "xdp").checked()
    with net.director.inside():
        assert [link.name for link in links() if link.xdp_mode == "native"] == ["ext", "int"]
    for vip, servers in (
        (net.vip, net.addresses),
        (f"[{net.vip6}]", tuple(f"[{address}]" for address in net.addresses6)),
    ):
        net.director.ipvsadm("-A", "-t", f"{vip}:80", "-s", "rr").checked()
        for server in servers:
            net.director.ipvsadm("-a", "-t", f"{vip}:80", "-r", f"{server}:8080", "-m").checked()
    return net


families = pytest.mark.parametrize("url", ["http://10.9.0.100", "http://[fd09::100]"], ids=["ipv4", "ipv6"])


@families
def test_servers_answer_in_turn(xdp: Routed, url: str) -> None:
    urls = [f"{url}/?{number}" for number in range(6)]
    answers = xdp.client.curl("-g", "-H", "Connection: close", *urls).checked().out.split()
    assert answers == ["three", "two", "one"] * 2


@families
def test_transfers_arrive_unchanged_in_both_directions(xdp: Routed, url: str, tmp_path: Path) -> None:
    down, up = tmp_path / "down", tmp_path / "up"
    xdp.client.curl("-g", "-o", str(down), f"{url}/size/{SIZE}").checked()
    assert hashlib.sha256(down.read_bytes()).hexdigest() == checksum(SIZE)
    with up.open("wb") as out:
        out.writelines(blocks(SIZE))
    told = xdp.client.curl("-g", "-T", str(up), f"{url}/").checked().out
    assert told.split() == [checksum(SIZE), str(SIZE)]


@families
def test_a_hundred_parallel_connections_all_succeed(xdp: Routed, url: str) -> None:
    count, size = 100, 20_000
    urls = [f"{url}/size/{size}?{number}" for number in range(count)]
    outputs = [word for _ in urls for word in ("-o", "/dev/null")]
    shape = ("-w", "%{http_code} %{size_download}\\n", "-H", "Connection: close")
    parallel = ("-Z", "--parallel-immediate", "--parallel-max", str(count))
    done = xdp.client.curl("-g", *parallel, *shape, *outputs, *urls, seconds=60).checked()
    assert Counter(done.out.splitlines()) == {f"200 {size}": count}


@families
def test_the_director_itself_is_a_client_too(xdp: Routed, url: str) -> None:
    """Its packets begin on lo, where TC is; the replies come in through XDP, which must leave them to TC."""
    urls = [f"{url}/?{number}" for number in range(3)]
    answers = xdp.director.curl("-g", "-H", "Connection: close", *urls).checked().out.split()
    assert answers == ["three", "two", "one"]


def packets_past_xdp(net: Routed, url: str) -> int:
    """How many packets the director's outer interface hands to its stack, TC included, during a download of 1 MiB."""
    with net.director.inside():
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    with tap:
        tap.bind(("ext", ETH_P_ALL))
        tap.setblocking(False)
        net.client.curl("-g", "-o", "/dev/null", f"{url}/size/{1 << 20}").checked()
        count = 0
        while select.select([tap], [], [], 0)[0]:
            tap.recv(1)
            count += 1
    return count


@families
def test_an_established_flow_does_not_reach_the_stack(xdp: Routed, url: str) -> None:
    xdp.client.curl("-g", *[f"{url}/" for _ in range(3)], "-H", "Connection: close").checked()
    assert packets_past_xdp(xdp, url) < 20
    xdp.director.bpvs("up", "--mode", "tc").checked()
    assert packets_past_xdp(xdp, url) > 40


def test_each_packet_counts_once(xdp: Routed) -> None:
    assert xdp.client.curl("http://10.9.0.100/", "-H", "Connection: close").checked().out == "three\n"
    with_xdp = listing.stats(xdp.director.ipvsadm("-L", "-n", "--stats", "--exact").checked().out)["TCP 10.9.0.100:80"]
    assert with_xdp.connections == 1
    assert 5 <= with_xdp.in_packets <= 8
    assert 4 <= with_xdp.out_packets <= 7


@families
def test_a_client_s_gateway_with_another_card_is_found_again(xdp: Routed, url: str) -> None:
    """Nobody tells the director. Only the kernel can doubt a station, so from time to time a reply goes through it."""
    page = ("-g", "--connect-timeout", "1", "-H", "Connection: close", f"{url}/")
    xdp.client.curl(*page).checked()
    address, family = ("fd09::2", "ipv6") if "[" in url else ("10.9.0.2", "ipv4")
    for name, value in (("delay_first_probe_time", 1), ("retrans_time_ms", 100)):
        xdp.director.set_sysctl(f"net.{family}.neigh.ext.{name}", value)
    with xdp.director.inside():
        own = next(link.mac.hex(":") for link in links() if link.name == "ext")
    router = "fd09::1" if "[" in url else "10.9.0.1"
    vip = url.removeprefix("http://").strip("[]")
    xdp.network.configure(
        xdp.client,
        "link set eth0 address 02:00:00:00:09:99",
        *(f"neighbour replace {one} lladdr {own} dev eth0 nud permanent" for one in (router, vip)),
    )
    xdp.network.configure(xdp.director, f"neighbour change {address} dev ext nud stale")
    assert xdp.client.curl(*page).code == 28, "replies still go to the old card"
    with xdp.director.inside():
        gateways(seen(40))
    until(lambda: xdp.client.curl(*page).code == 0, "a reply at the new card", 20)
    assert packets_past_xdp(xdp, url) < 20


def test_modes_can_be_changed_while_connections_go_on(xdp: Routed) -> None:
    for mode, expected in (("tc", []), ("auto", []), ("xdp", ["ext", "int"])):
        xdp.director.bpvs("up", "--mode", mode).checked()
        with xdp.director.inside():
            assert [link.name for link in links() if link.xdp_mode == "native"] == expected
        assert xdp.client.curl("http://10.9.0.100/").code == 0
    assert (
        listing.stats(xdp.director.ipvsadm("-L", "-n", "--stats", "--exact").checked().out)[
            "TCP 10.9.0.100:80"
        ].connections
        == 3
    )


def test_down_takes_the_xdp_programs_along(xdp: Routed) -> None:
    xdp.director.bpvs("down").checked()
    with xdp.director.inside():
        assert [(link.name, link.xdp_program) for link in links() if link.xdp_program] == []


def test_only_the_named_interfaces_get_programs(bare: Routed) -> None:
    bare.director.bpvs("up", "--dev", "ext", "--mode", "xdp").checked()
    told = json.loads(bare.director.bpvs("status", "--json").checked().out)
    assert {(one["name"], tuple(one["modes"])) for one in told["interfaces"]} == {
        ("lo", ("tc",)),
        ("ext", ("tc", "xdp")),
    }


def test_an_interface_without_xdp_that_appears_later_hinders_no_change(xdp: Routed) -> None:
    """A container's bridge, say. It has TC; `bpvs up`, which was asked for XDP, refuses it in a sentence."""
    xdp.network.configure(xdp.director, "link add late0 type bridge", "link set late0 up")
    xdp.director.ipvsadm("-A", "-t", "10.9.0.100:81").checked()
    told = json.loads(xdp.director.bpvs("status", "--json").checked().out)
    assert {one["name"]: one["modes"] for one in told["interfaces"]} == {
        "lo": ["tc"],
        "ext": ["tc", "xdp"],
        "int": ["tc", "xdp"],
        "late0": ["tc"],
    }
    refused = xdp.director.bpvs("up", "--mode", "xdp")
    assert refused.code == 1
    assert refused.err.startswith("bpvs up: interface late0: native XDP")


def test_an_unknown_interface_is_refused_in_a_sentence(bare: Routed) -> None:
    done = bare.director.bpvs("up", "--dev", "nosuch0")
    assert done.code == 1
    assert "nosuch0" in done.err
    assert "ext, int" in done.err
    assert len(done.err.splitlines()) == 1
