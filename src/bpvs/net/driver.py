# SPDX-License-Identifier: GPL-2.0-or-later
"""Which driver runs an interface, and whether XDP in that driver gains speed without losing packets."""

from __future__ import annotations

import array
import fcntl
import struct

# The C module below socket: it is on the start-up path of ipvsadm.
from _socket import AF_INET, SOCK_CLOEXEC, SOCK_DGRAM, socket

_SIOCETHTOOL = 0x8946
_ETHTOOL_GDRVINFO = 0x3
_DRVINFO_BYTES = 196
_IFREQ = struct.Struct("16sP16x")

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
    answer = array.array("B", struct.pack("=I", _ETHTOOL_GDRVINFO) + bytes(_DRVINFO_BYTES - 4))
    request = _IFREQ.pack(name.encode("utf-8", "surrogateescape"), answer.buffer_info()[0])
    probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC)
    try:
        fcntl.ioctl(probe.fileno(), _SIOCETHTOOL, request)
    except OSError:
        return ""
    finally:
        probe.close()
    return bytes(answer[4:36]).split(b"\0", 1)[0].decode("ascii", "replace")


def has_native_xdp(driver_name: str) -> bool:
    """Whether XDP is worth having on this driver: it redirects by itself and nothing is lost by it."""
    return driver_name in NATIVE_XDP
