# SPDX-License-Identifier: GPL-2.0-or-later
"""Which driver runs an interface, and whether XDP in that driver gains speed without losing packets."""

from __future__ import annotations

import struct

from bpvs.net import ethtool

_GDRVINFO = 0x3
_DRVINFO_BYTES = 196

# Drivers with XDP including XDP_REDIRECT in mainline 6.1. veth is not here on purpose: frames of a local stack carry
# unfinished checksums there and a redirected frame needs a program or GRO on the peer, so TC serves it better.
NATIVE_XDP = frozenset(
    {
        "atlantic", "bnxt_en", "ena", "enetc", "fsl_dpaa2_eth", "fsl_dpa", "gve", "hv_netvsc", "i40e", "ice", "igb",
        "igc", "ixgbe", "ixgbevf", "lan966x_switch", "mana", "mlx4_en", "mlx5_core", "mvneta", "mvpp2", "netsec",
        "nfp", "octeontx2-nicpf", "qede", "sfc", "stmmac", "st_gmac", "thunder-nicvf", "ti-cpsw", "tsnep",
        "virtio_net", "vmxnet3",
    }
)  # fmt: skip


def driver(name: str) -> str:
    """The driver of an interface of this namespace ("virtio_net", "veth", ...), "" if it does not tell.

    ETHTOOL_GDRVINFO of include/uapi/linux/ethtool.h.
    """
    try:
        answer = ethtool.ask(name, struct.pack("=I", _GDRVINFO) + bytes(_DRVINFO_BYTES - 4))
    except OSError:
        return ""
    return ethtool.text(answer[4:36])


def takes_off_tags(name: str) -> bool:
    """Whether the hardware hands over the VLAN tag beside the frame, where XDP does not see it."""
    try:
        return ethtool.features(name).get("rx-vlan-hw-parse", False)
    except OSError:
        return False


def has_native_xdp(driver_name: str) -> bool:
    """Whether XDP is worth having on this driver: it redirects by itself and nothing is lost by it."""
    return driver_name in NATIVE_XDP
