# SPDX-License-Identifier: GPL-2.0-or-later
"""Values and rules of the virtual server table; no I/O."""

from __future__ import annotations

from bpvs.model.address import Address, Family
from bpvs.model.check import Check
from bpvs.model.connection import KEEP_TIMEOUTS, MAX_TIMEOUT, Connection, Timeouts
from bpvs.model.counters import Counters, LocalStatus, Rates, ServerStatus, ServiceStatus, Totals
from bpvs.model.errors import (
    BpvsError,
    DirectorError,
    InvalidLocal,
    InvalidMarkRule,
    InvalidNetwork,
    InvalidServer,
    InvalidSysctl,
    LocalExists,
    NoRoom,
    NoSuchLocal,
    NoSuchServer,
    NoSuchService,
    NotBuilt,
    OutOfRange,
    ServerExists,
    ServiceExists,
    ServiceNotDefined,
    SynproxyMethod,
    TableError,
    UnknownScheduler,
)
from bpvs.model.server import NO_TUNNEL, Method, RealServer, Tunnel, TunnelChecksum, TunnelType
from bpvs.model.service import FLAG_1, FLAG_2, FLAG_3, Protocol, ServiceKey, VirtualService
from bpvs.model.table import Table

__all__ = [
    "FLAG_1",
    "FLAG_2",
    "FLAG_3",
    "KEEP_TIMEOUTS",
    "MAX_TIMEOUT",
    "NO_TUNNEL",
    "Address",
    "BpvsError",
    "Check",
    "Connection",
    "Counters",
    "DirectorError",
    "Family",
    "InvalidLocal",
    "InvalidMarkRule",
    "InvalidNetwork",
    "InvalidServer",
    "InvalidSysctl",
    "LocalExists",
    "LocalStatus",
    "Method",
    "NoRoom",
    "NoSuchLocal",
    "NoSuchServer",
    "NoSuchService",
    "NotBuilt",
    "OutOfRange",
    "Protocol",
    "Rates",
    "RealServer",
    "ServerExists",
    "ServerStatus",
    "ServiceExists",
    "ServiceKey",
    "ServiceNotDefined",
    "ServiceStatus",
    "SynproxyMethod",
    "Table",
    "TableError",
    "Timeouts",
    "Totals",
    "Tunnel",
    "TunnelChecksum",
    "TunnelType",
    "UnknownScheduler",
    "VirtualService",
]
