# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers: where a virtual service sends its clients."""

from __future__ import annotations

from enum import IntEnum

from bpvs.model.address import Address
from bpvs.model.value import dataclass


class Method(IntEnum):
    """Forwarding method; the numbers are the kernel's IP_VS_CONN_F_*, and 5 is Alibaba's for FullNAT."""

    NAT = 0
    LOCAL = 1
    TUNNEL = 2
    ROUTE = 3
    FULLNAT = 5


class TunnelType(IntEnum):
    """Outer header of a tunnelled packet; the numbers are the kernel's IP_VS_CONN_F_TUNNEL_TYPE_*."""

    IPIP = 0
    GUE = 1
    GRE = 2


class TunnelChecksum(IntEnum):
    """Checksum of the outer header; the numbers are the kernel's IP_VS_TUNNEL_ENCAP_FLAG_*."""

    NONE = 0
    FULL = 1
    REMOTE = 2


@dataclass(frozen=True, slots=True)
class Tunnel:
    """How a TUNNEL server is reached; `port` is the UDP port of GUE and 0 for the other types."""

    type: TunnelType = TunnelType.IPIP
    port: int = 0
    checksum: TunnelChecksum = TunnelChecksum.NONE


NO_TUNNEL = Tunnel()


@dataclass(frozen=True, slots=True)
class RealServer:
    """One real server of a service as `ipvsadm -a` describes it.

    `port` 0 keeps the port of the packet. `weight` 0 receives no new connections. `upper` and `lower` are thresholds
    of connections, 0 for none.
    """

    address: Address
    port: int
    method: Method = Method.ROUTE
    weight: int = 1
    upper: int = 0
    lower: int = 0
    tunnel: Tunnel = NO_TUNNEL
