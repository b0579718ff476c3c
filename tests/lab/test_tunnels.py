# SPDX-License-Identifier: GPL-2.0-or-later
"""TUN with every encapsulation, the agent at its end, and what the client learns of the smaller MTU."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpvs.lab import offload
from tests.lab.balancing import Balanced, balanced, text

pytestmark = pytest.mark.root

FAMILIES = ("ipv4", "ipv6")
OUTER_HEADER = {"ipv4": 20, "ipv6": 40}
TUNNELS = {  # words for ipvsadm -a, bytes between the outer and the inner IP header
    "ipip": ((), 0),
    "gue": (("--tun-type", "gue", "--tun-port", "6080", "--tun-nocsum"), 12),
    "gue with checksum": (("--tun-type", "gue", "--tun-port", "6080", "--tun-csum"), 12),
    "gre": (("--tun-type", "gre", "--tun-nocsum"), 4),
    "gre with checksum": (("--tun-type", "gre", "--tun-csum"), 8),
}
SIZE = 1 << 20


def path_mtu(site: Balanced) -> int:
    """What the client believes to fit on its way to the virtual address."""
    words = site.net.client.run("ip", "route", "get", site.vip).checked().out.split()
    return int(words[words.index("mtu") + 1]) if "mtu" in words else 1500


def forget_path_mtu(site: Balanced) -> None:
    for version in ("-4", "-6"):
        site.net.client.run("ip", version, "route", "flush", "cache").checked()


@pytest.mark.parametrize(
    ("inner", "outer", "hook"),
    [("ipv4", "ipv4", "xdp"), ("ipv4", "ipv6", "tc"), ("ipv6", "ipv4", "xdp"), ("ipv6", "ipv6", "tc")],
)
def test_transfers_through_every_tunnel(inner: str, outer: str, hook: str, tmp_path: Path) -> None:
    """All links take 1500 bytes, so the client has to be told of less before an upload gets through."""
    with balanced("tun", inner, hook) as site:
        server = text((site.net.addresses6 if outer == "ipv6" else site.net.addresses)[0])
        site.net.director.ipvsadm("-A", *site.service(), "-s", "rr").checked()
        command = "-a"
        for name, (words, between) in TUNNELS.items():
            site.net.director.ipvsadm(command, *site.service(), "-r", f"{server}:80", "-i", *words).checked()
            command = "-e"
            forget_path_mtu(site)
            assert site.ask(1, "client")[0].split()[0] == site.client, name
            assert site.download(SIZE, tmp_path), name
            assert site.upload(SIZE, tmp_path), name
            assert path_mtu(site) == 1500 - OUTER_HEADER[outer] - between, name


@pytest.mark.parametrize("family", FAMILIES)
def test_a_big_upload_flows_at_the_size_of_the_tunnel(family: str, tmp_path: Path) -> None:
    """8 MiB in frames as from a wire, so that each packet has to fit."""
    with balanced("tun", family) as site:
        offload.behave_as_hardware(site.net.network, "director")
        site.add()
        assert site.upload(8 << 20, tmp_path)
        assert path_mtu(site) == 1500 - OUTER_HEADER[family]
