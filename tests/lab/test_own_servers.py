# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers that are addresses of the director, by each method, as the real IPVS delivers to them."""

from __future__ import annotations

import pytest

from bpvs.lab import listing
from bpvs.lab.topology import Routed

pytestmark = pytest.mark.root

SERVICE = "10.9.0.100:80"
DELIVERED = {
    "direct routing to its own address": "10.0.1.1:80 -g",
    "NAT to another port of its own": "10.0.1.1:8080 -m",
    "direct routing to loopback": "127.0.0.1:80 -g",
    "direct routing to the virtual address": "10.9.0.100:80 -g",
    "NAT to another port of the virtual address": "10.9.0.100:8080 -m",
    "a tunnel to its own address": "10.0.1.1:80 -i",
}


def serve(net: Routed, server: str) -> None:
    net.director.serve("director", 80)
    net.director.serve("director", 8080)
    net.director.ipvsadm("-R", stdin=f"-A -t {SERVICE} -s rr\n-a -t {SERVICE} -r {server}\n").checked()


def counted(net: Routed) -> listing.StatsRow:
    return listing.stats(net.director.ipvsadm("-L", "-n", "--stats").checked().out)[f"TCP {SERVICE}"]


@pytest.mark.parametrize("server", DELIVERED.values(), ids=DELIVERED)
def test_it_answers_and_both_directions_are_counted(bare: Routed, server: str) -> None:
    """Direct routing and tunnels deliver to the virtual address and port, whatever the server's address."""
    serve(bare, server)
    assert bare.client.curl("--max-time", "5", f"http://{SERVICE}/").checked().out.strip() == "director"
    row = counted(bare)
    assert row.connections == 1
    assert row.in_packets >= 5
    assert row.out_packets >= 3
    states = [one.state for one in listing.connections(bare.director.ipvsadm("-L", "-c", "-n").checked().out)]
    assert states in (["TIME_WAIT"], ["ESTABLISHED"], ["CLOSE_WAIT"], ["FIN_WAIT"])


def test_nat_to_loopback_is_a_martian(bare: Routed) -> None:
    """The SYN is counted; the kernel drops it."""
    serve(bare, "127.0.0.1:80 -m")
    assert bare.client.curl("--max-time", "1.5", f"http://{SERVICE}/").code
    row = counted(bare)
    assert (row.connections, row.out_packets) == (1, 0)
    assert row.in_packets >= 1
