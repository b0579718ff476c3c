# SPDX-License-Identifier: GPL-2.0-or-later
"""What the director shows of a flow: its connection, and the counts of its path's server."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

from bpvs.director import Director
from bpvs.kernel import _abi, bpf
from bpvs.model import Address, Connection, Protocol, ServerStatus
from tests.packets.frames import Flow, Path
from tests.packets.rig import loaded
from tests.property.ipvs_model import ACTIVE


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


def doubt(flow: Flow, seconds: int) -> None:
    """The next hop to the flow's server is stale, and was verified that long ago (nexthop.h: seconds of 2^30 ns)."""
    instance = loaded()
    row: int = instance.conns.load(row_of(flow), "dest")
    lanes = instance.traffic
    content = bytearray(lanes._words(range(row, row + 1)).tobytes())
    now = time.monotonic_ns() >> 20
    for lane in range(0, len(content), _abi.LANE.size):
        at = lane + _abi.LANE.offset("hop")
        struct.pack_into("=I", content, at + _abi.HOP.offset("until"), (now - 1000) % 2**32)
        struct.pack_into("=H", content, at + _abi.HOP.offset("verified"), ((now >> 10) - seconds) % 2**16)
    bpf.update_array(lanes._fd, range(row, row + 1), bytes(content))


def forget_back(flow: Flow) -> None:
    """The way back to the flow's client has to be asked for again."""
    at = _abi.CONN.offset("back") + _abi.HOP.offset("until")
    stale = (time.monotonic_ns() >> 20) - 1000
    loaded().conns.write(row_of(flow), struct.pack("=I", stale % 2**32), at)


def gateways(change: Callable[[int], int]) -> None:
    """Change what is remembered of stations toward clients: MAC address << 16 | when it was verified (nexthop.h)."""
    runtime, at = loaded().runtime, _abi.RUNTIME.offset("gateways")
    known = struct.iter_unpack("=Q", runtime.bytes_at(0, at, _abi.RUNTIME.width("gateways")))
    runtime.write(0, b"".join(struct.pack("=Q", change(one) if one else 0) for (one,) in known), at)


def seen(seconds: int) -> Callable[[int], int]:
    """All of them were verified that long ago."""
    return lambda known: known >> 16 << 16 | ((time.monotonic_ns() >> 30) - seconds) % 2**16


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
