# SPDX-License-Identifier: GPL-2.0-or-later
"""The network interfaces of this namespace, and which of them can bring packets to balance."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from bpvs.model.value import dataclass
from bpvs.net.netlink import RouteSocket, attributes, number

RTM_GETLINK = 18
IFF_UP = 0x1
IFF_LOOPBACK = 0x8
ARPHRD_ETHER = 1

_IFLA_ADDRESS = 1
_IFLA_IFNAME = 3
_IFLA_MTU = 4
_IFLA_LINK = 5
_IFLA_QDISC = 6
_IFLA_MASTER = 10
_IFLA_LINKINFO = 18
_IFLA_XDP = 43
_IFLA_INFO_KIND = 1
_IFLA_XDP_ATTACHED = 2
_IFLA_XDP_PROG_ID = 4

_IFINFOMSG = struct.Struct("=BxHiII")
_XDP_MODES = {0: "", 1: "native", 2: "generic", 3: "offload", 4: "multi"}

# A port of these is seen again on its master, so a program on both would meet each packet twice.
_COLLECTING_MASTERS = frozenset({"bridge", "bond", "team", "openvswitch", "hsr", "batadv"})
# ifb hands packets back to the interface that they came from.
_MIRROR_KINDS = frozenset({"ifb"})
# The two ends of the siding (net/siding.py) are known by their addresses, which nothing else has.
SIDING_MACS = (bytes.fromhex("024250565301"), bytes.fromhex("024250565302"))
# Likewise both ends of the detour (net/detour.py).
DETOUR_MAC = bytes.fromhex("024250565303")


@dataclass(frozen=True, slots=True)
class Link:
    """One interface as the kernel reports it by RTM_GETLINK (include/uapi/linux/if_link.h).

    `master` and `lower` are interface indexes or 0; `kind` is the IFLA_INFO_KIND ("veth", "bridge", ...; "" for
    hardware and loopback); `flags` are IFF_*, `arp_type` ARPHRD_*; `mtu` in bytes; `xdp_mode` is "", native, generic,
    offload or multi and `xdp_program` the id of the program that is attached, or 0; `qdisc` the kind of the queueing
    discipline at the root ("noqueue", "tbf", ...).
    """

    index: int
    name: str
    kind: str
    master: int
    lower: int
    flags: int
    arp_type: int
    mac: bytes
    mtu: int
    xdp_mode: str
    xdp_program: int
    qdisc: str = ""

    @property
    def is_up(self) -> bool:
        """Whether somebody has switched it on; there may still be no carrier."""
        return bool(self.flags & IFF_UP)

    @property
    def is_loopback(self) -> bool:
        """Whether it is lo."""
        return bool(self.flags & IFF_LOOPBACK)

    @property
    def is_ethernet(self) -> bool:
        """Whether frames begin with an Ethernet header, as those of veth, bridge and hardware do."""
        return self.arp_type == ARPHRD_ETHER

    @property
    def is_siding(self) -> bool:
        """Whether it is an end of BPVS's own siding."""
        return self.kind == "veth" and self.mac in SIDING_MACS

    @property
    def is_detour(self) -> bool:
        """Whether it is an end of BPVS's own detour."""
        return self.kind == "veth" and self.mac == DETOUR_MAC

    def is_port(self, all_links: Iterable[Link]) -> bool:
        """Whether a bridge, bond, team or the like collects what this link receives (a VRF does not)."""
        return self.master != 0 and any(
            link.index == self.master and link.kind in _COLLECTING_MASTERS for link in all_links
        )


def links() -> list[Link]:
    """Every interface of the calling thread's network namespace, by index."""
    with RouteSocket() as route:
        found = [_parse(body) for body in route.dump(RTM_GETLINK, _IFINFOMSG.pack(0, 0, 0, 0, 0))]
    return sorted(found, key=lambda link: link.index)


def attachable(all_links: Iterable[Link]) -> list[Link]:
    """The links that bring packets to a director: lo and every Ethernet link whose packets no master collects."""
    known = list(all_links)
    return [link for link in known if link.is_loopback or (_brings_frames(link) and not link.is_port(known))]


def _brings_frames(link: Link) -> bool:
    return link.is_ethernet and link.kind not in _MIRROR_KINDS and not (link.is_siding or link.is_detour)


def _parse(body: bytes) -> Link:
    _family, arp_type, index, flags, _change = _IFINFOMSG.unpack_from(body)
    found = attributes(body[_IFINFOMSG.size :])
    information = attributes(found.get(_IFLA_LINKINFO, b""))
    xdp = attributes(found.get(_IFLA_XDP, b""))
    return Link(
        index=index,
        name=_text(found.get(_IFLA_IFNAME)),
        kind=_text(information.get(_IFLA_INFO_KIND)),
        master=number(found.get(_IFLA_MASTER)),
        lower=number(found.get(_IFLA_LINK)),
        flags=flags,
        arp_type=arp_type,
        mac=found.get(_IFLA_ADDRESS, b""),
        mtu=number(found.get(_IFLA_MTU)),
        xdp_mode=_XDP_MODES.get(number(xdp.get(_IFLA_XDP_ATTACHED)), "unknown"),
        xdp_program=number(xdp.get(_IFLA_XDP_PROG_ID)),
        qdisc=_text(found.get(_IFLA_QDISC)),
    )


def _text(payload: bytes | None) -> str:
    return payload.rstrip(b"\0").decode("utf-8", "surrogateescape") if payload else ""
