# SPDX-License-Identifier: GPL-2.0-or-later
"""The connection table, read while it lives."""

from __future__ import annotations

import time
from _socket import ntohs
from collections.abc import Iterator

from bpvs.kernel import _abi
from bpvs.kernel.instance import Instance
from bpvs.kernel.maps import ArrayMap
from bpvs.model import Address, Connection, Family, Protocol
from bpvs.model.address import V4_MAPPED_PREFIX

_CHUNK = 4096  # rows copied at once
_NS = 1_000_000_000
_STATES = {number: name.removeprefix("STATE_") for number, name in _abi.CONN_STATE_NAMES.items()}
_NEW_SHOWN_AS = "NONE"
_FIELDS = (
    *("client", "virtual", "server", "client_port", "virtual_port", "server_port"),
    *("protocol", "seen", "state"),
)


def read_connections(instance: Instance) -> Iterator[Connection]:
    """Every connection, in the order of its row; those that begin or end meanwhile may be missing or shown."""
    timeouts = _timeouts(instance)
    high = instance.runtime.load(0, "conn_high")
    for first in range(0, high, _CHUNK):
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        for row in instance.conns.rows(first, min(_CHUNK, high - first), *_FIELDS):
            client, virtual, server, client_port, virtual_port, server_port, protocol, seen, state = row
            if not state & _abi.CONN_USED:
                continue
            number = state & _abi.CONN_STATE
            family = Family.IPV4 if virtual.startswith(V4_MAPPED_PREFIX) else Family.IPV6
            yield Connection(
                Protocol(protocol),
                Address.from_mapped(family, client),
                ntohs(client_port),
                Address.from_mapped(family, virtual),
                ntohs(virtual_port),
                Address.from_mapped(family, server),
                ntohs(server_port),
                _NEW_SHOWN_AS if number == _abi.STATE_NEW else _STATES[number],
                max(0.0, timeouts[number] - (now - seen) / _NS),
            )


def _timeouts(instance: Instance) -> list[int]:
    settings: ArrayMap = instance.settings
    content = settings.bytes_at(0, _abi.SETTINGS.offset("timeout_s"), 4 * _abi.STATE_COUNT)
    return list(memoryview(content).cast("I"))
