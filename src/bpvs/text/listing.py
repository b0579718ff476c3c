# SPDX-License-Identifier: GPL-2.0-or-later
"""What `ipvsadm -L` prints of services and servers, byte for byte."""

from __future__ import annotations

from _socket import inet_ntoa
from collections.abc import Iterable, Iterator, Mapping

from bpvs.model import (
    Counters,
    Family,
    Method,
    Protocol,
    Rates,
    RealServer,
    ServerStatus,
    ServiceKey,
    ServiceStatus,
    TunnelChecksum,
    TunnelType,
    VirtualService,
)
from bpvs.text.endpoint import EndpointPrinter
from bpvs.text.flags import format_flags
from bpvs.text.integers import signed32
from bpvs.text.numbers import format_count

VERSION_LINE = "IP Virtual Server version 1.2.1 (size=4096)\n"
PLAIN_TITLE = "Prot LocalAddress:Port Scheduler Flags\n"
_WIDE_TITLE = f"{'Prot LocalAddress:Port':33}"
_REMOTE_TITLE = "  -> RemoteAddress:Port"
# The first of these options that is given decides the layout.
LAYOUTS = ("stats", "rate", "thresholds", "persistent-conn", "tun-info")
TITLES = {
    "default": f"{PLAIN_TITLE}{_REMOTE_TITLE}           Forward Weight ActiveConn InActConn\n",
    "tun-info": f"{PLAIN_TITLE}{_REMOTE_TITLE}           Forward TunnelInfo    Weight ActiveConn InActConn\n",
    "stats": f"{_WIDE_TITLE}    Conns   InPkts  OutPkts  InBytes OutBytes\n{_REMOTE_TITLE}\n",
    "rate": f"{_WIDE_TITLE}      CPS    InPPS   OutPPS    InBPS   OutBPS\n{_REMOTE_TITLE}\n",
    "thresholds": f"{_WIDE_TITLE} Uthreshold Lthreshold ActiveConn InActConn \n{_REMOTE_TITLE}\n",
    "persistent-conn": f"{_WIDE_TITLE} Weight    PersistConn ActiveConn InActConn \n{_REMOTE_TITLE}\n",
}
PROTOCOLS = {Protocol.TCP: "TCP", Protocol.UDP: "UDP", Protocol.SCTP: "SCTP"}
METHODS = {
    Method.NAT: "Masq",
    Method.LOCAL: "Local",
    Method.TUNNEL: "Tunnel",
    Method.ROUTE: "Route",
    Method.FULLNAT: "FullNat",
}
_CHECKSUMS = {TunnelChecksum.NONE: "-c", TunnelChecksum.FULL: "+c", TunnelChecksum.REMOTE: "r+c"}
_NO_STATUS = ServiceStatus()


class Listing:
    """Prints one kind of listing: `options` are those of the command line, `names` prints the endpoints."""

    def __init__(self, options: frozenset[str], names: EndpointPrinter) -> None:
        self.layout = next((layout for layout in LAYOUTS if layout in options), "default")
        self._exact = "exact" in options
        self._names = names

    def title(self) -> str:
        """The two lines above the services."""
        return TITLES[self.layout]

    def entries(
        self,
        services: Iterable[tuple[VirtualService, Iterable[RealServer]]],
        status: Mapping[ServiceKey, ServiceStatus],
    ) -> Iterator[str]:
        """The lines of the services, each followed by the lines of its servers, in the given order."""
        for service, servers in services:
            state = status.get(service.key, _NO_STATUS)
            yield self._service(service, state)
            for server in servers:
                yield self._server(service.key, server, state.server(server.address, server.port))

    def _service(self, service: VirtualService, state: ServiceStatus) -> str:
        name = self._service_name(service.key)
        if self.layout == "stats":
            return f"{name:33}{self._counts(state.counters)}\n"
        if self.layout == "rate":
            return f"{name:33}{self._counts(state.rates)}\n"
        return f"{name} {service.scheduler}{service_details(service)}\n"

    def _service_name(self, key: ServiceKey) -> str:
        if key.protocol is None or key.address is None:
            return mark_name(key)
        name = f"{PROTOCOLS[key.protocol]:4} {self._names.text(key.address, key.port, key.protocol)}"
        return name if key.family == Family.IPV6 else name[:33]

    def _server(self, key: ServiceKey, server: RealServer, state: ServerStatus) -> str:
        name = self._names.text(server.address, server.port, key.protocol)
        if not server.address.is_ipv6:
            name = name[:28]
        return f"  -> {name:28}{self._columns(server, state)}\n"

    def _columns(self, server: RealServer, state: ServerStatus) -> str:
        connections = f" {state.active:<10} {state.inactive:<10}"
        if self.layout == "stats":
            return self._counts(state.counters)
        if self.layout == "rate":
            rates = state.rates
            packets = f" {rates.connections:8} {rates.in_packets:8} {rates.out_packets:8}"
            return f"{packets}{format_count(rates.in_bytes, self._exact)}{format_count(rates.out_bytes, self._exact)}"
        if self.layout == "thresholds":
            return f" {server.upper:<10} {server.lower:<10}{connections}"
        if self.layout == "persistent-conn":
            return f" {server.weight:<9} {state.persistent:<11}{connections}"
        method = Method.LOCAL if state.is_local else server.method
        tunnel = f" {tunnel_info(server, method):13}" if self.layout == "tun-info" else ""
        return f" {METHODS[method]:7}{tunnel} {server.weight:<6}{connections}"

    def _counts(self, counts: Counters | Rates) -> str:
        values = (counts.connections, counts.in_packets, counts.out_packets, counts.in_bytes, counts.out_bytes)
        return "".join(format_count(value, self._exact) for value in values)


def mark_name(key: ServiceKey) -> str:
    """A service by mark, as listings name it: `FWM  7`, `FWM  7 IPv6`."""
    return f"FWM  {signed32(key.fwmark)}" + (" IPv6" if key.family == Family.IPV6 else "")


def service_details(service: VirtualService) -> str:
    """What follows the scheduler's name: flags, persistence, `ops`, `synproxy`; empty or with a blank before."""
    text = f" ({format_flags(service.flags, service.scheduler)})" if service.flags else ""
    if service.persistence is not None:
        text += f" persistent {service.persistence}"
        if service.netmask is not None:
            text += f" mask {mask_text(service)}"
        if service.engine:
            text += f" pe {service.engine}"
    return text + (" ops" if service.ops else "") + (" synproxy" if service.synproxy else "")


def mask_text(service: VirtualService) -> str:
    """The granularity of persistence: a dotted mask for IPv4, a prefix length for IPv6."""
    if service.key.family == Family.IPV6:
        return str(service.mask)
    return inet_ntoa(service.mask.to_bytes(4, "big"))


def tunnel_info(server: RealServer, method: Method) -> str:
    """The column TunnelInfo: `ipip`, `gue:6080:+c`, `gre:-c`, or `n/a` where `method`, the one in force, has none."""
    if method != Method.TUNNEL:
        return "n/a"
    tunnel = server.tunnel
    if tunnel.type == TunnelType.GUE:
        return f"gue:{tunnel.port}:{_CHECKSUMS[tunnel.checksum]}"
    if tunnel.type == TunnelType.GRE:
        return f"gre:{_CHECKSUMS[tunnel.checksum]}"
    return "ipip"
