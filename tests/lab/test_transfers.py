# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTP through the routed director: whole transfers, many at once, in both families, servers on another port."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from bpvs.lab import listing
from bpvs.lab.topology import Routed
from bpvs.lab.webserver import blocks, checksum

pytestmark = pytest.mark.root

BIG = 64 << 20
FAMILIES = ("ipv4", "ipv6")


def balance(net: Routed, family: str, scheduler: str = "rr", weights: tuple[int, ...] = (1, 1, 1)) -> str:
    """A service on port 80 for the three servers' port 8080; returns its address as in a URL."""
    vip, servers = (
        (net.vip, net.addresses) if family == "ipv4" else (f"[{net.vip6}]", [f"[{a}]" for a in net.addresses6])
    )
    net.director.ipvsadm("-A", "-t", f"{vip}:80", "-s", scheduler).checked()
    for server, weight in zip(servers, weights, strict=True):
        net.director.ipvsadm("-a", "-t", f"{vip}:80", "-r", f"{server}:8080", "-m", "-w", str(weight)).checked()
    return vip


def ask(net: Routed, vip: str, count: int) -> list[str]:
    """`count` requests one after the other, each with a connection of its own; the answers in order."""
    urls = [f"http://{vip}/?{number}" for number in range(count)]
    return net.client.curl("-g", "-H", "Connection: close", *urls).checked().out.split()


@pytest.mark.parametrize("family", FAMILIES)
def test_servers_on_another_port_answer_in_turn(net: Routed, family: str) -> None:
    vip = balance(net, family)
    assert ask(net, vip, 6) == ["three", "two", "one"] * 2


@pytest.mark.parametrize("family", FAMILIES)
def test_servers_see_the_clients_own_address(net: Routed, family: str) -> None:
    vip = balance(net, family)
    seen = net.client.curl("-g", f"http://{vip}/client").checked().out.split()[0]
    assert seen == {"ipv4": "10.9.0.2", "ipv6": "fd09::2"}[family]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_big_download_arrives_unchanged(net: Routed, family: str, tmp_path: Path) -> None:
    vip = balance(net, family)
    file = tmp_path / "download"
    net.client.curl("-g", "-o", str(file), f"http://{vip}/size/{BIG}").checked()
    assert hashlib.sha256(file.read_bytes()).hexdigest() == checksum(BIG)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_big_upload_arrives_unchanged(net: Routed, family: str, tmp_path: Path) -> None:
    vip = balance(net, family)
    file = tmp_path / "upload"
    with file.open("wb") as out:
        out.writelines(blocks(BIG))
    told = net.client.curl("-g", "-T", str(file), f"http://{vip}/").checked().out
    assert told.split() == [checksum(BIG), str(BIG)]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_upload_fits_through_a_smaller_mtu_behind_the_director(net: Routed, family: str, tmp_path: Path) -> None:
    """The director tells the client by "fragmentation needed" or "packet too big" from the virtual address."""
    vip = balance(net, family)
    net.network.configure(net.director, "link set int mtu 1300")
    size = 4 << 20
    file = tmp_path / "upload"
    with file.open("wb") as out:
        out.writelines(blocks(size))
    told = net.client.curl("-g", "-T", str(file), f"http://{vip}/").checked().out
    assert told.split() == [checksum(size), str(size)]


@pytest.mark.parametrize("family", FAMILIES)
def test_three_hundred_parallel_connections_all_succeed(net: Routed, family: str) -> None:
    vip = balance(net, family)
    count, size = 300, 20_000
    urls = [f"http://{vip}/size/{size}?{number}" for number in range(count)]
    outputs = [word for _ in urls for word in ("-o", "/dev/null")]
    shape = ("-w", "%{http_code} %{size_download}\n", "-H", "Connection: close")
    parallel = ("-Z", "--parallel-immediate", "--parallel-max", str(count))
    done = net.client.curl("-g", *parallel, *shape, *outputs, *urls, seconds=60).checked()
    assert Counter(done.out.splitlines()) == {f"200 {size}": count}

    found = listing.stats(net.director.ipvsadm("-L", "-n", "--stats", "--exact").checked().out)
    assert sorted(row.connections for name, row in found.items()) == [100, 100, 100, 300]


def test_wrr_shares_by_weight(net: Routed) -> None:
    vip = balance(net, "ipv4", "wrr", (1, 2, 3))
    assert Counter(ask(net, vip, 60)) == {"one": 10, "two": 20, "three": 30}


def test_both_families_at_once_have_tables_of_their_own(net: Routed) -> None:
    four, six = balance(net, "ipv4"), balance(net, "ipv6")
    assert ask(net, four, 2) == ["three", "two"]
    assert ask(net, six, 2) == ["three", "two"]
    assert ask(net, four, 1) == ["one"]
    assert set(listing.table(net.director.ipvsadm("-L", "-n").checked().out)) == {
        f"TCP {net.vip}:80",
        f"TCP [{net.vip6}]:80",
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_the_director_itself_is_a_client_too(net: Routed, family: str) -> None:
    vip = balance(net, family)
    done = net.director.curl("-g", *[f"http://{vip}/" for _ in range(3)], "-H", "Connection: close")
    assert done.checked().out.split() == ["three", "two", "one"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("who", ["client", "director"])
def test_no_packet_is_lost_while_a_servers_station_is_asked_for(net: Routed, family: str, who: str) -> None:
    """A lost SYN would be sent again after a second, which is later than curl waits here."""
    vip = balance(net, family)
    host = net.client if who == "client" else net.director
    for _ in range(2):
        net.director.run("ip", "neigh", "flush", "dev", "int").checked()
        done = host.curl(
            "-g", "--connect-timeout", "0.9", *[f"http://{vip}/" for _ in range(3)], "-H", "Connection: close"
        )
        assert sorted(done.checked().out.split()) == ["one", "three", "two"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_service_without_a_usable_server_refuses_at_once(net: Routed, family: str) -> None:
    """The director answers with port unreachable from the virtual address, which TCP reports as a refusal."""
    vip = balance(net, family, weights=(0, 0, 0))
    refused = net.client.curl("-g", "--max-time", "5", f"http://{vip}/")
    assert refused.code == 7, refused.err
    found = listing.stats(net.director.ipvsadm("-L", "-n", "--stats", "--exact").checked().out)
    assert {row.connections for row in found.values()} == {0}


def test_a_dead_servers_refusal_reaches_the_client(net: Routed) -> None:
    net.director.ipvsadm("-A", "-t", f"{net.vip}:80", "-s", "rr").checked()
    net.director.ipvsadm("-a", "-t", f"{net.vip}:80", "-r", f"{net.addresses[0]}:8099", "-m").checked()
    refused = net.client.curl("--max-time", "5", f"http://{net.vip}/")
    assert refused.code == 7, refused.err


def test_without_a_service_the_directors_own_server_answers(net: Routed) -> None:
    vip = balance(net, "ipv4")
    net.director.serve("the director", 81)
    assert net.client.curl(f"http://{vip}:81/").checked().out == "the director\n"
    assert net.client.curl("http://10.0.1.11:8080/").checked().out == "one\n"
