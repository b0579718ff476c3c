# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines that `ipvsadm -S` writes; `-R` reads them back with `parse_command`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bpvs.model import (
    Address,
    Family,
    Method,
    Protocol,
    RealServer,
    ServiceKey,
    TunnelChecksum,
    TunnelType,
    VirtualService,
)
from bpvs.text.endpoint import EndpointPrinter
from bpvs.text.flags import format_flags
from bpvs.text.integers import signed32
from bpvs.text.listing import mask_text

_OPTIONS = {Protocol.TCP: "-t", Protocol.UDP: "-u", Protocol.SCTP: "--sctp-service"}
_METHODS = {Method.NAT: "-m", Method.TUNNEL: "-i", Method.FULLNAT: "-b"}
_TYPES = {TunnelType.IPIP: "ipip", TunnelType.GUE: "gue", TunnelType.GRE: "gre"}
_CHECKSUMS = {
    TunnelChecksum.NONE: "--tun-nocsum",
    TunnelChecksum.FULL: "--tun-csum",
    TunnelChecksum.REMOTE: "--tun-remcsum",
}


def save_lines(
    services: Iterable[tuple[VirtualService, Iterable[RealServer], Iterable[Address]]], names: EndpointPrinter
) -> Iterator[str]:
    """For each service its `-A` line, a `-P` line for each local address and an `-a` line for each server.

    All come in the given order. Local addresses are always written as numbers: those of one host often share a name.

    Thresholds, the mask of a service that is not persistent, daemons and timeouts are not saved; a mark from 2^31 on
    is written as a negative number that `-R` refuses: all as ipvsadm 1.31 does.
    """
    for service, servers, addresses in services:
        where = service_option(service.key, names)
        yield f"-A {where}{_service_settings(service)}\n"
        for address in addresses:
            yield f"-P {where} -z {address}\n"
        for server in servers:
            endpoint = names.text(server.address, server.port, service.key.protocol)
            method = _METHODS.get(server.method, "-g")
            yield f"-a {where} -r {endpoint} {method} -w {server.weight}{_tunnel_settings(server)}\n"


def service_option(key: ServiceKey, names: EndpointPrinter) -> str:
    """The option that names a service: `-t 192.0.2.1:80`, `-f 5 -6`."""
    if key.protocol is None or key.address is None:
        return f"-f {signed32(key.fwmark)}" + (" -6" if key.family == Family.IPV6 else "")
    return f"{_OPTIONS[key.protocol]} {names.text(key.address, key.port, key.protocol)}"


def _service_settings(service: VirtualService) -> str:
    text = f" -s {service.scheduler}"
    if service.persistence is not None:
        text += f" -p {service.persistence}"
        if service.netmask is not None:
            text += f" -M {mask_text(service)}"
    if service.engine:
        text += f" --pe {service.engine}"
    if service.ops:
        text += " -o"
    if service.flags:
        text += f" -b {format_flags(service.flags, service.scheduler)}"
    return text + (" -j enable" if service.synproxy else "")


def _tunnel_settings(server: RealServer) -> str:
    if server.method != Method.TUNNEL:
        return ""
    tunnel = server.tunnel
    text = f" --tun-type {_TYPES[tunnel.type]}"
    if tunnel.type == TunnelType.GUE:
        text += f" --tun-port {tunnel.port}"
    return text if tunnel.type == TunnelType.IPIP else f"{text} {_CHECKSUMS[tunnel.checksum]}"
