# SPDX-License-Identifier: GPL-2.0-or-later
"""What the director shows of a flow: its connection, and the counts of its path's server."""

from __future__ import annotations

from bpvs.director import Director
from bpvs.kernel import _abi
from bpvs.kernel.instance import Instance
from bpvs.model import Address, Connection, Protocol, ServerStatus
from tests.packets.frames import Flow, Path
from tests.property.ipvs_model import ACTIVE


def loaded() -> Instance:
    """The instance of the namespace entered."""
    instance = Director().instance()
    assert instance is not None
    return instance


def connection_of(flow: Flow) -> Connection | None:
    """The flow's connection, or None."""
    wanted = (flow.path.protocol, flow.path.client, flow.port, flow.path.virtual, flow.path.virtual_port)
    mine = [
        one
        for one in Director().connections()
        if (one.protocol, str(one.client), one.client_port, str(one.virtual), one.virtual_port) == wanted
    ]
    assert len(mine) <= 1
    return mine[0] if mine else None


def state_of(flow: Flow) -> str | None:
    """The state of the flow's connection, None without one."""
    one = connection_of(flow)
    return one.state if one else None


def server_status(path: Path) -> ServerStatus:
    """What is shown of the path's server."""
    return Director().status()[path.key].servers[path.row[1].address, path.server_port]


def counts(path: Path) -> tuple[int, int]:
    """Active and inactive connections of the path's server."""
    server = server_status(path)
    return server.active, server.inactive


def traffic(path: Path) -> tuple[int, ...]:
    """Connections, packets in and out, bytes in and out of the path's server."""
    total = server_status(path).counters
    return total.connections, total.in_packets, total.out_packets, total.in_bytes, total.out_bytes


def row_of(flow: Flow) -> int:
    """The TCP or UDP connection's row of `conns`."""
    instance = loaded()
    ends = [
        int.from_bytes(flow.port.to_bytes(2, "big"), "little"),
        int.from_bytes(flow.path.virtual_port.to_bytes(2, "big"), "little"),
        int(flow.path.protocol),
        Address.parse(flow.path.client).mapped,
        Address.parse(flow.path.virtual).mapped,
    ]
    high = instance.runtime.load(0, "conn_high")
    fields = ("state", "client_port", "virtual_port", "protocol", "client", "virtual")
    rows = enumerate(instance.conns.rows(0, high, *fields))
    used = [row for row, (state, *found) in rows if found == ends and state & _abi.CONN_USED]
    assert len(used) == 1
    return used[0]


def put_into(flow: Flow, state: str) -> None:
    """Write a TCP state into the row of a connection that is in SYN_RECV, and move the server's counts with it."""
    assert flow.path.protocol is Protocol.TCP
    instance = loaded()
    row = row_of(flow)
    dest = instance.conns.load(row, "dest")
    counted = _abi.CONN_ACTIVE if state in ACTIVE else _abi.CONN_INACTIVE
    if counted == _abi.CONN_INACTIVE:  # SYN_RECV is an active state
        instance.dests.store(dest, "active", instance.dests.load(dest, "active") - 1)
        instance.dests.store(dest, "inactive", instance.dests.load(dest, "inactive") + 1)
    number = {name: value for value, name in _abi.CONN_STATE_NAMES.items()}[f"STATE_{state}"]
    kept = instance.conns.load(row, "state") & ~(_abi.CONN_STATE | _abi.CONN_ACTIVE | _abi.CONN_INACTIVE)
    instance.conns.store(row, "state", kept | counted | number)


def quiescent_expires(does: bool) -> None:
    """expire_quiescent_template is 1 or 0."""
    at = _abi.SETTINGS.offset("vs") + _abi.VS.offset("expire_quiescent_template")
    loaded().settings.write(0, int(does).to_bytes(4, "little"), at)
