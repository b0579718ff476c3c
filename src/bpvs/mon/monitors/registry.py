# SPDX-License-Identifier: GPL-2.0-or-later
"""Which built-in monitors there are. A module is imported when a configuration names its monitor."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from bpvs.mon.monitors.options import Timed
    from bpvs.mon.monitors.report import HostReport

    # (arguments without hosts, hosts, environment) -> one report per host, in their order.
    # Raises UsageError (a BpvsError) with a sentence for arguments that it does not understand. Never outlives
    # cancellation: when the daemon's timeout cancels it, sockets close.
    Monitor = Callable[[Sequence[str], Sequence[str], Mapping[str, str]], Awaitable[list[HostReport]]]

# name -> module, or module:function, with `async def check(arguments, hosts, environment) -> list[HostReport]`
MONITORS: dict[str, str] = {
    "dns-query.monitor": "bpvs.mon.monitors.dnsquery",
    "dns.monitor": "bpvs.mon.monitors.nameserver",
    "exec.monitor": "bpvs.mon.monitors.exec",
    "file.monitor": "bpvs.mon.monitors.file",
    "file_change.monitor": "bpvs.mon.monitors.file_change",
    "fping.monitor": "bpvs.mon.monitors.ping:check_fping",
    "freespace.monitor": "bpvs.mon.monitors.freespace",
    "ftp.monitor": "bpvs.mon.monitors.ftp",
    "http.monitor": "bpvs.mon.monitors.http",
    "https.monitor": "bpvs.mon.monitors.http:check_secure",
    "imap.monitor": "bpvs.mon.monitors.imap",
    "ldap.monitor": "bpvs.mon.monitors.ldap",
    "loadavg.monitor": "bpvs.mon.monitors.loadavg",
    "memcached.monitor": "bpvs.mon.monitors.memcached",
    "msql-mysql.monitor": "bpvs.mon.monitors.mysql:check_mode",
    "mysql.monitor": "bpvs.mon.monitors.mysql",
    "nntp.monitor": "bpvs.mon.monitors.nntp",
    "ping.monitor": "bpvs.mon.monitors.ping",
    "pop3.monitor": "bpvs.mon.monitors.pop3",
    "postgresql.monitor": "bpvs.mon.monitors.postgresql",
    "process.monitor": "bpvs.mon.monitors.process",
    "ps.monitor": "bpvs.mon.monitors.process",
    "radius.monitor": "bpvs.mon.monitors.radius",
    "redis.monitor": "bpvs.mon.monitors.redis",
    "sip.monitor": "bpvs.mon.monitors.sip",
    "smtp.monitor": "bpvs.mon.monitors.smtp",
    "ssh.monitor": "bpvs.mon.monitors.ssh",
    "tcp.monitor": "bpvs.mon.monitors.tcp",
    "telnet.monitor": "bpvs.mon.monitors.telnet",
    "udp.monitor": "bpvs.mon.monitors.udp",
}

# The classes of options that are not called Options.
_OPTIONS = {
    "fping.monitor": "FpingOptions",
    "https.monitor": "SecureOptions",
    "msql-mysql.monitor": "ModeOptions",
    "ping.monitor": "PingOptions",
}


def find(name: str) -> Monitor | None:
    """The built-in monitor of that name."""
    module, _, function = MONITORS.get(name, "").partition(":")
    return getattr(import_module(module), function or "check") if module else None


def options_of(name: str) -> type[Timed]:
    """What the arguments of the built-in monitor of that name are read into."""
    module = import_module(MONITORS[name].partition(":")[0])
    kind: type[Timed] = getattr(module, _OPTIONS.get(name, "Options"))
    return kind
