# SPDX-License-Identifier: GPL-2.0-or-later
"""What `--dry-run` says a command would change, one line a change; man/ipvsadm.8 promises this form."""

from __future__ import annotations

from collections.abc import Mapping

from bpvs.model import (
    Method,
    RealServer,
    ServiceKey,
    Table,
    Timeouts,
    TunnelChecksum,
    TunnelType,
    VirtualService,
)
from bpvs.text.command import Command
from bpvs.text.draft import METHODS, TUNNEL_TYPES
from bpvs.text.endpoint import EndpointPrinter
from bpvs.text.flags import flag_names
from bpvs.text.listing import mask_text
from bpvs.text.names import PROTOCOL_NAMES
from bpvs.text.order import sorted_services

_METHODS = {Method.LOCAL: "local"} | {method: option for option, method in METHODS.items()}
_TYPES = {kind: name for name, kind in TUNNEL_TYPES.items()}
_CHECKSUMS = {
    TunnelChecksum.NONE: "no checksum",
    TunnelChecksum.FULL: "checksum",
    TunnelChecksum.REMOTE: "remote checksum",
}
_NUMERIC = EndpointPrinter()

Settings = Mapping[str, str]


def change_lines(command: Command, table: Table, timeouts: Timeouts, sysctls: Mapping[str, int]) -> list[str]:
    """What the command changes in `table`, which it has not changed yet, in the timeouts and settings in force.

    For a command that the table will refuse the lines mean nothing.
    """
    if command.timeouts is not None:
        return _timeouts(timeouts, command.timeouts.over(timeouts))
    if command.sysctl is not None:
        return _sysctl(sysctls, *command.sysctl)
    if command.name == "clear":
        return [_delete(service.key, table) for service in sorted_services(table.services())]
    if command.name == "zero":
        return [f"zero counters of {'all services' if command.key is None else _service(command.key)}"]
    assert command.key is not None
    if command.service is not None:
        return [_service_line(command.service, table)]
    if command.server is not None:
        return [_server_line(command, command.key, command.server, table)]
    if command.local is not None:
        verb, where = ("add", "to") if command.name == "add-laddr" else ("delete", "of")
        return [f"{verb} local address {command.local} {where} {_service(command.key)}"]
    return [_delete(command.key, table)] if table.has(command.key) else []


def _timeouts(old: Timeouts, new: Timeouts) -> list[str]:
    pairs = (("tcp", old.tcp, new.tcp), ("tcpfin", old.tcp_fin, new.tcp_fin), ("udp", old.udp, new.udp))
    return [f"set timeout {name}: {before} -> {after}" for name, before, after in pairs if before != after]


def _sysctl(sysctls: Mapping[str, int], name: str, value: int) -> list[str]:
    return [f"set vs.{name}: {sysctls[name]} -> {value}"] if sysctls[name] != value else []


def _delete(key: ServiceKey, table: Table) -> str:
    servers = sum(1 for _ in table.servers(key))
    return f"delete service {_service(key)}: servers {servers}, local addresses {len(table.locals(key))}"


def _service_line(service: VirtualService, table: Table) -> str:
    name = _service(service.key)
    if not table.has(service.key):
        return f"add service {name}: {_list(_service_settings(service))}"
    old = _service_settings(table.service(service.key))
    return f"edit service {name}: {_differences(old, _service_settings(service))}"


def _server_line(command: Command, key: ServiceKey, server: RealServer, table: Table) -> str:
    name, where = _NUMERIC.text(server.address, server.port, key.protocol), _service(key)
    if command.name == "add-server":
        return f"add server {name} to {where}: {_list(_server_settings(server))}"
    if command.name == "delete-server":
        return f"delete server {name} of {where}"
    servers = table.servers(key) if table.has(key) else ()
    place = server.address, server.port
    old = next((one for one in servers if (one.address, one.port) == place), server)
    return f"edit server {name} of {where}: {_differences(_server_settings(old), _server_settings(server))}"


def _service(key: ServiceKey) -> str:
    if key.protocol is None or key.address is None:
        return f"mark {key.fwmark} {key.family.name.lower()}"
    return f"{PROTOCOL_NAMES[key.protocol]} {_NUMERIC.text(key.address, key.port, key.protocol)}"


def _service_settings(service: VirtualService) -> Settings:
    return {
        "scheduler": service.scheduler,
        "flags": "+".join(flag_names(service.flags, service.scheduler)) or "none",
        "persistent": "no" if service.persistence is None else str(service.persistence),
        "netmask": mask_text(service),
        "engine": service.engine or "none",
        "ops": _switch(service.ops),
        "synproxy": _switch(service.synproxy),
    }


def _server_settings(server: RealServer) -> Settings:
    tunnel = server.tunnel
    port = f" port {tunnel.port}" if tunnel.type is TunnelType.GUE else ""
    checksum = "" if tunnel.type is TunnelType.IPIP else f" {_CHECKSUMS[tunnel.checksum]}"
    return {
        "method": _METHODS[server.method],
        "weight": str(server.weight),
        "upper threshold": str(server.upper),
        "lower threshold": str(server.lower),
        "tunnel": f"{_TYPES[tunnel.type]}{port}{checksum}" if server.method is Method.TUNNEL else "none",
    }


def _switch(on: bool) -> str:
    return "on" if on else "off"


def _list(settings: Settings) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _differences(old: Settings, new: Settings) -> str:
    changed = (f"{name} {old[name]} -> {value}" for name, value in new.items() if old[name] != value)
    return ", ".join(changed) or "nothing changes"
