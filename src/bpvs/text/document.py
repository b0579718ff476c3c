# SPDX-License-Identifier: GPL-2.0-or-later
"""What `--json` says of services, connections and timeouts, as plain values; docs/reference/json.md describes them.

Every field is always there; what does not apply is None. Addresses and ports are never names, numbers never shortened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bpvs.model import (
    Address,
    Connection,
    Counters,
    Method,
    Protocol,
    Rates,
    RealServer,
    ServerStatus,
    ServiceKey,
    ServiceStatus,
    Timeouts,
    TunnelChecksum,
    VirtualService,
)
from bpvs.text.draft import METHODS, TUNNEL_TYPES
from bpvs.text.flags import flag_names
from bpvs.text.listing import mask_text
from bpvs.text.names import PROTOCOL_NAMES

SCHEMA_VERSION = 1  # raised when a field changes its meaning or goes; new fields may come without

Document = dict[str, object]
METHOD_WORDS = {Method.LOCAL: "local"} | {method: option for option, method in METHODS.items()}
TUNNEL_WORDS = {kind: name for name, kind in TUNNEL_TYPES.items()}
CHECKSUM_WORDS = {TunnelChecksum.NONE: "none", TunnelChecksum.FULL: "full", TunnelChecksum.REMOTE: "remote"}


def key_document(key: ServiceKey) -> Document:
    """What names a service: protocol, address and port, or a mark."""
    return {
        "family": _family(key.family.name),
        "protocol": _protocol(key.protocol),
        "address": None if key.address is None else str(key.address),
        "port": None if key.address is None else key.port,
        "fwmark": key.fwmark or None,
    }


def settings_document(service: VirtualService, servers: Iterable[RealServer], addresses: Iterable[Address]) -> Document:
    """A service as it was configured, with its servers and local addresses in the given order."""
    return {
        **_service(service),
        "local_addresses": [{"address": str(address)} for address in addresses],
        "servers": [server_document(server) for server in servers],
    }


def service_document(
    service: VirtualService, servers: Iterable[RealServer], addresses: Iterable[Address], state: ServiceStatus
) -> Document:
    """A service as it was configured, with all that was counted."""
    return {
        **_service(service),
        "counters": _figures(state.counters),
        "rates": _figures(state.rates),
        "local_addresses": [_local(address, state) for address in addresses],
        "servers": [{**server_document(one), **_use(state.server(one.address, one.port))} for one in servers],
    }


def locals_document(key: ServiceKey, addresses: Iterable[Address], state: ServiceStatus) -> Document:
    """The local addresses of a service, with their use."""
    return {**key_document(key), "local_addresses": [_local(address, state) for address in addresses]}


def connection_documents(connections: Iterable[Connection]) -> Iterator[Document]:
    """The entries of the connection table, in the given order."""
    # A million entries share few services and servers, and many a client has several.
    ends: dict[tuple[bytes, int], Document] = {}
    texts: dict[bytes, str] = {}

    def shared(address: Address, port: int) -> Document:
        place = address.packed, port
        if place not in ends:
            ends[place] = _endpoint(address, port)
        return ends[place]

    for entry in connections:
        packed = entry.client.packed
        client = texts.get(packed)
        if client is None:
            client = texts[packed] = str(entry.client)
        yield {
            "family": "ipv4" if len(packed) == 4 else "ipv6",
            "protocol": _protocol(entry.protocol),
            "client": {"address": client, "port": entry.client_port},
            "virtual": shared(entry.virtual, entry.virtual_port),
            "server": shared(entry.server, entry.server_port),
            "fwmark": entry.fwmark or None,
            "state": entry.state,
            "expires": round(entry.expires, 3),
            "template": entry.is_template,
            "engine": entry.engine or None,
            "engine_data": entry.engine_data or None,
        }


def timeouts_document(timeouts: Timeouts) -> Document:
    """The timeouts that `--set` changes, in seconds."""
    return {"tcp": timeouts.tcp, "tcp_fin": timeouts.tcp_fin, "udp": timeouts.udp}


def _family(name: str) -> str:
    return name.lower()


def _protocol(protocol: Protocol | None) -> str | None:
    return None if protocol is None else PROTOCOL_NAMES[protocol]


def _service(service: VirtualService) -> Document:
    return {
        **key_document(service.key),
        "scheduler": service.scheduler,
        "scheduler_flags": flag_names(service.flags, service.scheduler),
        "persistent": service.persistence,
        "netmask": mask_text(service),
        "engine": service.engine or None,
        "ops": service.ops,
        "synproxy": service.synproxy,
    }


def server_document(server: RealServer) -> Document:
    """A server as it was configured; `bpvs.text.undocument` reads it."""
    tunnel = server.tunnel
    return {
        "family": _family(server.address.family.name),
        **_endpoint(server.address, server.port),
        "method": METHOD_WORDS[server.method],
        "weight": server.weight,
        "upper_threshold": server.upper,
        "lower_threshold": server.lower,
        "tunnel": {
            "type": TUNNEL_WORDS[tunnel.type],
            "port": tunnel.port or None,
            "checksum": CHECKSUM_WORDS[tunnel.checksum],
        }
        if server.method is Method.TUNNEL
        else None,
    }


def _use(state: ServerStatus) -> Document:
    return {
        "is_local": state.is_local,
        "active_connections": state.active,
        "inactive_connections": state.inactive,
        "persistent_connections": state.persistent,
        "counters": _figures(state.counters),
        "rates": _figures(state.rates),
    }


def _local(address: Address, state: ServiceStatus) -> Document:
    use = state.local(address)
    return {"address": str(address), "ports_in_use": use.ports, "exhausted": use.exhausted}


def _figures(counts: Counters | Rates) -> Document:
    return {
        "connections": counts.connections,
        "in_packets": counts.in_packets,
        "out_packets": counts.out_packets,
        "in_bytes": counts.in_bytes,
        "out_bytes": counts.out_bytes,
    }


def _endpoint(address: Address, port: int) -> Document:
    return {"address": str(address), "port": port}
