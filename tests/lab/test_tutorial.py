# SPDX-License-Identifier: GPL-2.0-or-later
"""The LVS half of the tutorial, word for word, with the director as its own client."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpvs.lab import listing
from bpvs.lab.topology import Tutorial

pytestmark = pytest.mark.root

VIP = "192.168.122.53"
LISTING = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  192.168.122.53:80 rr
  -> 192.168.122.50:80            Masq    1      0          0         
  -> 192.168.122.51:80            Masq    1      0          0         
"""  # noqa: W291  because ipvsadm ends these lines in blanks
SAVED = """\
-A -t 192.168.122.53:80 -s rr
-a -t 192.168.122.53:80 -r 192.168.122.50:80 -m -w 1
-a -t 192.168.122.53:80 -r 192.168.122.51:80 -m -w 1
"""


@pytest.fixture
def balanced(lan: Tutorial) -> Tutorial:
    """The tutorial's three commands, each of which prints nothing."""
    for command in (
        f"-A -t {VIP}:80 -s rr",
        f"-a -t {VIP}:80 -r 192.168.122.50 -m",
        f"-a -t {VIP}:80 -r 192.168.122.51 -m",
    ):
        done = lan.director.ipvsadm(*command.split())
        assert (done.code, done.out, done.err) == (0, "", "")
    return lan


def ask(lan: Tutorial) -> str:
    return lan.director.curl(VIP).checked().out.strip()


def test_the_table_is_listed_as_the_tutorial_shows_it(balanced: Tutorial) -> None:
    assert balanced.director.ipvsadm("-L", "-n").checked().out == LISTING
    assert balanced.director.ipvsadm().checked().out.splitlines()[0] == LISTING.splitlines()[0]


def test_the_servers_answer_in_strict_turn_beginning_with_the_one_added_last(balanced: Tutorial) -> None:
    answers = [ask(balanced) for _ in range(8)]
    assert answers == ["192.168.122.51", "192.168.122.50"] * 4


def test_the_server_sees_the_directors_own_address_as_the_client(balanced: Tutorial) -> None:
    assert balanced.director.curl(f"http://{VIP}/client").checked().out.split()[0] == VIP


def test_stats_count_connections_packets_and_bytes_in_both_directions(balanced: Tutorial) -> None:
    for _ in range(4):
        ask(balanced)
    found = listing.stats(balanced.director.ipvsadm("-L", "-n", "--stats", "--exact").checked().out)
    service = found[f"TCP {VIP}:80"]
    servers = [found[f"TCP {VIP}:80 192.168.122.5{last}:80"] for last in (0, 1)]
    assert service.connections == 4
    assert [one.connections for one in servers] == [2, 2]
    for row in (service, *servers):
        # Handshake, request, acknowledgements and end: at least 4 packets each way, each with 40 bytes of headers.
        assert row.in_packets >= 4 * row.connections
        assert row.out_packets >= 3 * row.connections
        assert row.in_bytes > 40 * row.in_packets
        assert row.out_bytes > 40 * row.out_packets
    for field in ("in_packets", "out_packets", "in_bytes", "out_bytes"):
        assert getattr(service, field) == sum(getattr(one, field) for one in servers)


def test_a_large_answer_reaches_the_directors_own_client_whole(balanced: Tutorial) -> None:
    size = 16 << 20
    done = balanced.director.curl("-o", "/dev/null", "-w", "%{size_download}", f"http://{VIP}/size/{size}")
    assert done.checked().out == str(size)


def test_save_clear_and_restore_bring_the_same_table_back(balanced: Tutorial, tmp_path: Path) -> None:
    saved = balanced.director.ipvsadm("-S", "-n").checked().out
    assert saved == SAVED
    assert balanced.director.ipvsadm("--clear").checked().out == ""
    assert listing.table(balanced.director.ipvsadm("-L", "-n").checked().out) == {}

    refused = balanced.director.curl(VIP)
    assert (refused.code, refused.out) == (7, "")

    restored = balanced.director.ipvsadm("-R", stdin=saved)
    assert (restored.code, restored.out, restored.err) == (0, "", "")
    assert balanced.director.ipvsadm("-S", "-n").checked().out == SAVED
    assert [ask(balanced) for _ in range(4)] == ["192.168.122.51", "192.168.122.50"] * 2


def test_deleting_the_service_leaves_the_address_to_the_director(balanced: Tutorial) -> None:
    balanced.director.ipvsadm("-D", "-t", f"{VIP}:80").checked()
    balanced.director.serve("the director itself")
    assert ask(balanced) == "the director itself"


def test_other_ports_and_other_traffic_of_the_director_are_left_alone(balanced: Tutorial) -> None:
    balanced.director.serve("port 81", 81)
    assert balanced.director.curl(f"http://{VIP}:81/").checked().out == "port 81\n"
    assert balanced.servers[0].curl(f"http://{VIP}:81/").checked().out == "port 81\n"
    assert balanced.director.curl("http://192.168.122.50/").checked().out == "192.168.122.50\n"
