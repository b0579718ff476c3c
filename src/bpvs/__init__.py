# SPDX-License-Identifier: GPL-2.0-or-later
"""BPVS: a layer-4 load balancer on eBPF that is steered with the commands of the Linux Virtual Server.

The names below are the public API (docs/reference/python.md); each is imported when it is first asked for.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # spelt out, because importing typing costs milliseconds
if TYPE_CHECKING:
    from bpvs.director import Director, Overview
    from bpvs.model import (
        FLAG_1,
        FLAG_2,
        FLAG_3,
        Address,
        BpvsError,
        Connection,
        Counters,
        DirectorError,
        Family,
        InvalidLocal,
        InvalidMarkRule,
        InvalidServer,
        InvalidSysctl,
        LocalExists,
        LocalStatus,
        Method,
        NoRoom,
        NoSuchLocal,
        NoSuchServer,
        NoSuchService,
        NotBuilt,
        OutOfRange,
        Protocol,
        Rates,
        RealServer,
        ServerExists,
        ServerStatus,
        ServiceExists,
        ServiceKey,
        ServiceNotDefined,
        ServiceStatus,
        SynproxyMethod,
        Table,
        TableError,
        Timeouts,
        Totals,
        Tunnel,
        TunnelChecksum,
        TunnelType,
        UnknownScheduler,
        VirtualService,
    )
    from bpvs.model.mark_rule import MarkRule
    from bpvs.model.network import Network

__all__ = [
    "FLAG_1",
    "FLAG_2",
    "FLAG_3",
    "Address",
    "BpvsError",
    "Connection",
    "Counters",
    "Director",
    "DirectorError",
    "Family",
    "InvalidLocal",
    "InvalidMarkRule",
    "InvalidServer",
    "InvalidSysctl",
    "LocalExists",
    "LocalStatus",
    "MarkRule",
    "Method",
    "Network",
    "NoRoom",
    "NoSuchLocal",
    "NoSuchServer",
    "NoSuchService",
    "NotBuilt",
    "OutOfRange",
    "Overview",
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

_HOMES = {
    "Director": "bpvs.director",
    "MarkRule": "bpvs.model.mark_rule",
    "Network": "bpvs.model.network",
    "Overview": "bpvs.director",
}

if not TYPE_CHECKING:  # or a type checker would believe in every name

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'bpvs' has no attribute {name!r}")
        from importlib import import_module

        found = globals()[name] = getattr(import_module(_HOMES.get(name, "bpvs.model")), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
