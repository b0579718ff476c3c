# SPDX-License-Identifier: GPL-2.0-or-later
"""What an interface leaves to hardware, or for veth to nobody: switched as `ethtool -K` does, which may be missing."""

from __future__ import annotations

import os
import struct

from bpvs.kernel import bpf
from bpvs.kernel.libbpf import Libbpf
from bpvs.lab.network import SWITCHES, Network
from bpvs.net import ethtool
from bpvs.net.links import links

# include/uapi/linux/ethtool.h
_STXCSUM = 0x17
_VLAN_INSERTION = ("tx-vlan-hw-insert", "tx-vlan-stag-hw-insert")
_PROG_TYPE_XDP = 6
_PASS = bytes.fromhex("b700000002000000 9500000000000000")  # r0 = XDP_PASS; exit


def set_transmit_checksum(interface: str, enabled: bool) -> None:
    """Whether frames leave with the checksum still to be filled in; off also ends segmentation offload."""
    ethtool.ask(interface, struct.pack("=II", _STXCSUM, enabled))


def behave_as_hardware(network: Network, *directors: str) -> None:
    """Frames arrive as from a wire: of the MTU's size, complete checksums and VLAN tags in them, as XDP needs them.

    `directors` keep their own offloads. Switch ports get an XDP program that passes everything on: what comes out of
    the peer's XDP_TX is received by no other veth.
    """
    for name, host in network.hosts.items():
        if name in directors:
            continue
        with host.inside():
            for link in links():
                if link.kind == "veth":
                    set_transmit_checksum(link.name, enabled=False)
                    ethtool.switch(link.name, _VLAN_INSERTION.__contains__, on=False)
                    if name == SWITCHES:
                        _receive_by_xdp(link.index)


def _receive_by_xdp(index: int) -> None:
    program = bpf.load_program(_PROG_TYPE_XDP, _PASS)
    try:
        Libbpf().attach_xdp(index, program)
    finally:
        os.close(program)
