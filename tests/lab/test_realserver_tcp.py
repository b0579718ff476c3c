# SPDX-License-Identifier: GPL-2.0-or-later
"""Director and agent together: whole uploads through every tunnel, answered past the director."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bpvs.lab.host import Host
from bpvs.lab.network import Network
from bpvs.lab.shell import own_tool
from bpvs.lab.webserver import blocks, checksum

pytestmark = pytest.mark.root

SIZE = 8 << 20
VIPS = {"ipv4": "10.9.0.100", "ipv6": "fd09::100"}
SERVERS = {"ipv4": "10.9.0.11", "ipv6": "fd09::11"}
TUNNELS = {
    "ipip": ("--tun-type", "ipip"),
    "gue": ("--tun-type", "gue", "--tun-port", "6080", "--tun-nocsum"),
    "gue-csum": ("--tun-type", "gue", "--tun-port", "6080", "--tun-csum"),
    "gue-remcsum": ("--tun-type", "gue", "--tun-port", "6080", "--tun-remcsum"),
    "gre": ("--tun-type", "gre", "--tun-nocsum"),
    "gre-csum": ("--tun-type", "gre", "--tun-csum"),
}


@dataclass(slots=True)
class Lan:
    """Client, director and server on one LAN."""

    client: Host
    director: Host
    server: Host

    def counters(self) -> dict[str, int]:
        told: dict[str, int] = json.loads(self.agent("status", "--json"))["counters"]
        return told

    def agent(self, *arguments: str) -> str:
        return self.server.run(*own_tool("bpvs"), "realserver", *arguments).checked().out


@pytest.fixture(scope="module")
def net() -> Iterator[Lan]:
    with Network() as network:
        switch = network.switch("lan")
        made = Lan(network.host("client"), network.host("director"), network.host("server"))
        for host, number in ((made.client, 2), (made.director, 1), (made.server, 11)):
            network.plug(host, "eth0", switch, f"10.9.0.{number}/24", f"fd09::{number}/64")
        network.configure(
            made.director,
            "address add 10.9.0.100/32 dev eth0",
            "address add fd09::100/128 dev eth0 preferred_lft 0",  # or it would be the outer source, too
        )
        for setting in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            made.director.set_sysctl(setting, 1)
        made.agent(
            "up", "--vip", VIPS["ipv4"], "--vip", VIPS["ipv6"], "--tunnel-from", "10.9.0.1", "--tunnel-from", "fd09::1"
        )
        try:
            made.server.serve("through", 80)
            yield made
        finally:
            made.agent("down")


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@pytest.mark.parametrize("inner", VIPS, ids="inner {}".format)
@pytest.mark.parametrize("outer", SERVERS, ids="outer {}".format)
@pytest.mark.parametrize("kind", TUNNELS)
def test_an_upload_arrives_unchanged(net: Lan, kind: str, outer: str, inner: str, tmp_path: Path) -> None:
    file = tmp_path / "upload"
    with file.open("wb") as out:
        out.writelines(blocks(SIZE))
    vip = bracketed(VIPS[inner])
    net.director.ipvsadm("-C").checked()
    net.director.ipvsadm("-A", "-t", f"{vip}:80", "-s", "rr").checked()
    server = f"{bracketed(SERVERS[outer])}:80"
    net.director.ipvsadm("-a", "-t", f"{vip}:80", "-r", server, "-i", *TUNNELS[kind]).checked()
    before = net.counters()
    told = net.client.curl("-g", "-T", str(file), f"http://{vip}/").checked().out
    assert told.split() == [checksum(SIZE), str(SIZE)]
    after = net.counters()
    assert after[f"ended_{kind.partition('-')[0]}"] > before[f"ended_{kind.partition('-')[0]}"]
    lost = {name for name in after if name.startswith(("left", "dropped")) and after[name] != before[name]}
    assert lost <= {"dropped_arp"}
