# SPDX-License-Identifier: GPL-2.0-or-later
"""The connection table, read while it lives."""

from __future__ import annotations

import struct
import time
from _socket import ntohs
from collections.abc import Iterator

from bpvs.director.plans import ENGINE
from bpvs.director.rows import address_of
from bpvs.kernel import _abi
from bpvs.kernel._abi import CONN_STATE, CONN_TEMPLATE, CONN_USED, CONN_VOID, STATE_NEW
from bpvs.kernel.instance import Instance
from bpvs.model import Address, Connection, Protocol, Timeouts
from bpvs.model.address import V4_MAPPED_PREFIX

_CHUNK = 4096  # rows copied at once
_UNITS_PER_S = 1e9 / 2**20  # of conn.seen, see clock_ms()
_WORD = 0xFFFFFFFF
_SECONDS = struct.Struct("=I")
_TIMEOUTS_AT = _abi.SETTINGS.offset("timeout_s")
_PROTOCOLS = {0: None} | {int(protocol): protocol for protocol in Protocol}
_FIELDS = (
    *("state", "seen", "delta", "shift", "client_port", "virtual_port", "server_port"),
    *("protocol", "back", "client", "virtual", "server"),
)
_TEMPLATE = _abi.TEMPLATE.select("timeout_s")
_CALL_ID = _abi.CALL_ID.select("length", "text")
_ROW = struct.Struct("=I")
_VOID_PORT = 0xFFFF  # what IPVS shows of a template that leads nowhere


def _shown(state: str) -> str:
    """What IPVS calls a state: names of SCTP have hyphens."""
    of_sctp = state.removeprefix("STATE_SCTP_")
    return state.removeprefix("STATE_") if of_sctp == state else of_sctp.replace("_", "-")


_STATES = {number: _shown(name) for number, name in _abi.CONN_STATE_NAMES.items()} | {
    _abi.STATE_NEW: "NONE",  # IPVS has no name for it, but for UDP, which has one state
    _abi.STATE_ASSURED: "ASSURED",
}


class _Addresses(dict[bytes, Address]):
    """Addresses by their 16 bytes, each made once: a million connections share few of them."""

    def __missing__(self, mapped: bytes) -> Address:
        address = self[mapped] = address_of(mapped)
        return address


class _Ends(dict[tuple[bytes, int, bytes, int, int], tuple[Protocol | None, Address, int, Address, int]]):
    """Protocol, and virtual and server's address and port, by what a row holds of them: there are even fewer."""

    def __missing__(
        self, row: tuple[bytes, int, bytes, int, int]
    ) -> tuple[Protocol | None, Address, int, Address, int]:
        virtual, virtual_port, server, server_port, protocol = row
        shown = address_of(virtual if protocol else _shown_mark(virtual))
        ends = _PROTOCOLS[protocol], shown, ntohs(virtual_port), address_of(server), ntohs(server_port)
        self[row] = ends
        return ends


def read_connections(instance: Instance) -> Iterator[Connection]:
    """Every connection and template, in the order of its row; what begins or ends meanwhile may be missing or shown."""
    addresses, ends = _Addresses(), _Ends()
    timeouts = read_timeouts(instance)
    high = instance.runtime.load(0, "conn_high")
    for first in range(0, high, _CHUNK):
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) >> 20
        rows = enumerate(instance.conns.rows(first, min(_CHUNK, high - first), *_FIELDS), first)
        for row, (state, seen, delta, shift, client_port, port, server_port, number, back, client, far, server) in rows:
            if not state & CONN_USED:
                continue
            engine = call_id = ""
            void = is_template = False
            if state & CONN_TEMPLATE:
                (timeout,), is_template, void = _TEMPLATE.unpack_from(back), True, state & CONN_VOID
                if delta | shift:
                    engine, call_id = ENGINE, _call_id(instance, row)
            else:
                timeout = timeouts[state & CONN_STATE]
            left = timeout - ((now - seen) & _WORD) / _UNITS_PER_S
            protocol, virtual, virtual_port, real, real_port = ends[far, port, server, server_port, number]
            yield Connection(
                protocol,
                addresses[client],
                ntohs(client_port),
                virtual,
                _VOID_PORT if void else virtual_port,
                real,
                _VOID_PORT if void else real_port,
                "UDP" if state & CONN_STATE == STATE_NEW and number == Protocol.UDP else _STATES[state & CONN_STATE],
                left if left > 0 else 0.0,
                engine,
                call_id,
                is_template,
            )


def _call_id(instance: Instance, row: int) -> str:
    content = instance.call_ids[_ROW.pack(row)]
    if content is None:
        return ""
    length, text = _CALL_ID.unpack(content)
    return str(text[:length], "latin-1")


def _shown_mark(mapped: bytes) -> bytes:
    """A mark in the place of an address, as IPVS shows it: in the first 32 bits, for IPv6 too."""
    return mapped if mapped.startswith(V4_MAPPED_PREFIX) else mapped[12:] + mapped[:12]


def read_timeouts(instance: Instance) -> list[int]:
    """Seconds that an idle connection is kept, by state."""
    content = instance.settings.bytes_at(0, _TIMEOUTS_AT, _SECONDS.size * _abi.STATE_COUNT)
    return list(memoryview(content).cast("I"))


def write_timeouts(instance: Instance, timeouts: Timeouts) -> None:
    """Change the states whose timeouts are not 0, those that net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_set_timeout changes.

    They count at once, for connections that exist too: the table holds when each was seen, not when it ends.
    """
    by_state = {
        _abi.STATE_ESTABLISHED: timeouts.tcp,
        _abi.STATE_FIN_WAIT: timeouts.tcp_fin,
        _abi.STATE_UDP: timeouts.udp,
    }
    for state, seconds in by_state.items():
        if seconds:
            instance.settings.write(0, _SECONDS.pack(seconds), _TIMEOUTS_AT + _SECONDS.size * state)
