# SPDX-License-Identifier: GPL-2.0-or-later
"""Which built-in monitors there are. A module is imported when a configuration names its monitor."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport

    # (arguments without hosts, hosts, environment) -> one report per host, in their order.
    # Raises UsageError (a BpvsError) with a sentence for arguments that it does not understand. Never outlives
    # cancellation: when the daemon's timeout cancels it, sockets close.
    Monitor = Callable[[Sequence[str], Sequence[str], Mapping[str, str]], Awaitable[list[HostReport]]]

# name -> module, or module:function, with `async def check(arguments, hosts, environment) -> list[HostReport]`
MONITORS: dict[str, str] = {
    "dns-query.monitor": "bpvs.mon.monitors.dnsquery",
    "dns.monitor": "bpvs.mon.monitors.nameserver",
    "fping.monitor": "bpvs.mon.monitors.ping:check_fping",
    "http.monitor": "bpvs.mon.monitors.http",
    "https.monitor": "bpvs.mon.monitors.http:check_secure",
    "ping.monitor": "bpvs.mon.monitors.ping",
    "tcp.monitor": "bpvs.mon.monitors.tcp",
    "udp.monitor": "bpvs.mon.monitors.udp",
}


def find(name: str) -> Monitor | None:
    """The built-in monitor of that name."""
    module, _, function = MONITORS.get(name, "").partition(":")
    return getattr(import_module(module), function or "check") if module else None
