# SPDX-License-Identifier: GPL-2.0-or-later
"""What an interface leaves to hardware, or for veth to nobody: switched as `ethtool -K` does, which may be missing."""

from __future__ import annotations

import array
import fcntl
import socket
import struct

_SIOCETHTOOL = 0x8946
# include/uapi/linux/ethtool.h
_STXCSUM = 0x17
_SGRO = 0x2C
_IFREQ = struct.Struct("16sP16x")


def set_transmit_checksum(interface: str, enabled: bool) -> None:
    """Whether frames leave with the checksum still to be filled in; off also ends segmentation offload."""
    _set(interface, _STXCSUM, enabled)


def set_receive_merging(interface: str, enabled: bool) -> None:
    """GRO; on a veth it also makes the interface take frames that XDP redirects to its peer."""
    _set(interface, _SGRO, enabled)


def _set(interface: str, command: int, enabled: bool) -> None:
    value = array.array("B", struct.pack("=II", command, enabled))
    request = _IFREQ.pack(interface.encode("ascii"), value.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, _SIOCETHTOOL, request)
