# SPDX-License-Identifier: GPL-2.0-or-later
"""Which links a director listens on, and lo as the kernel reports it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpvs.net.links import (
    ARPHRD_ETHER,
    DETOUR_MAC,
    IFF_LOOPBACK,
    IFF_UP,
    SIDING_MACS,
    Link,
    attachable,
    links,
)

LOOPBACK_TYPE = 772
TUNNEL_TYPE = 768


def link(
    index: int, kind: str = "", master: int = 0, *, arp_type: int = ARPHRD_ETHER, flags: int = IFF_UP, name: str = ""
) -> Link:
    return Link(
        index=index,
        name=name or f"if{index}",
        kind=kind,
        master=master,
        lower=0,
        flags=flags,
        arp_type=arp_type,
        mac=bytes(6),
        mtu=1500,
        xdp_mode="",
        xdp_program=0,
    )


LO = link(1, arp_type=LOOPBACK_TYPE, flags=IFF_UP | IFF_LOOPBACK, name="lo")


def test_lo_and_hardware() -> None:
    assert attachable([LO, link(2)]) == [LO, link(2)]


@pytest.mark.parametrize("kind", ["bridge", "bond", "team", "openvswitch"])
def test_the_master_listens_for_its_ports(kind: str) -> None:
    master, port = link(2, kind), link(3, master=2)
    assert attachable([LO, master, port]) == [LO, master]


def test_a_port_of_a_vrf_listens_itself() -> None:
    master, port = link(2, "vrf", arp_type=TUNNEL_TYPE), link(3, master=2)
    assert attachable([LO, master, port]) == [LO, port]


def test_a_port_whose_master_is_in_another_namespace_listens_itself() -> None:
    assert attachable([LO, link(3, master=77)]) == [LO, link(3, master=77)]


def test_tunnels_without_ethernet_headers_and_mirrors_do_not_listen() -> None:
    assert attachable([LO, link(2, "ipip", arp_type=TUNNEL_TYPE), link(3, "ifb")]) == [LO]


def test_a_link_that_is_down_listens_already() -> None:
    down = link(2, flags=0)
    assert not down.is_up
    assert attachable([down]) == [down]


def test_the_kernels_lo() -> None:
    lo = links()[0]
    assert (lo.index, lo.name, lo.arp_type, lo.master, lo.kind) == (1, "lo", LOOPBACK_TYPE, 0, "")
    assert lo.is_loopback
    assert not lo.is_ethernet
    assert lo in attachable(links())


@pytest.mark.parametrize("mac", [*SIDING_MACS, DETOUR_MAC])
def test_interfaces_of_our_own_are_not_listened_on(mac: bytes) -> None:
    ours = replace(link(2, "veth"), mac=mac)
    assert attachable([LO, ours]) == [LO]
    assert attachable([LO, replace(ours, kind="dummy")])[1:]
