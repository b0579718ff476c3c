# SPDX-License-Identifier: GPL-2.0-or-later
"""IPVS's settings, net.ipv4.vs.*: names, defaults and ranges (net/netfilter/ipvs/ip_vs_ctl.c, vs_vars)."""

from __future__ import annotations

from collections.abc import Mapping

from bpvs.model.errors import InvalidSysctl
from bpvs.model.value import dataclass

PREFIXES = ("net.ipv4.vs.", "net/ipv4/vs/", "vs.", "vs/")
_INTEGER = 2**31 - 1
_LONGEST = _INTEGER // 250  # seconds; the kernel counts them in ticks, of which there are 250 a second
_DEFENCE = "0 off, 1 while connections are short (shown as 2 meanwhile), 3 always"


@dataclass(frozen=True, slots=True)
class Sysctl:
    """One setting: an integer from 0 to `highest`. `meaning`: what it does when it is not 0, or not its default."""

    name: str
    default: int
    highest: int
    meaning: str


@dataclass(frozen=True, slots=True)
class FixedSysctl:
    """A setting of IPVS that has one value here, or none: `value` is None where there is nothing to set."""

    name: str
    value: int | None
    reason: str


_ROWS = (
    Sysctl("am_droprate", 10, _INTEGER, "drop_packet 3 drops each so manieth packet; 0: none"),
    Sysctl("amemthresh", 1024, _INTEGER, "connections are short when fewer than so many places are free"),
    Sysctl("cache_bypass", 0, _INTEGER, "a service by mark without server sends packets to where they were going"),
    Sysctl(
        "conn_reuse_mode",
        1,
        _INTEGER,
        "1: SYN or INIT on a connection that is closed or without server is scheduled; +2: on FIN_WAIT too",
    ),
    Sysctl("drop_entry", 0, 3, f"half-open and idle connections end early: {_DEFENCE}"),
    Sysctl("drop_packet", 0, 3, f"some packets that would open a connection are dropped: {_DEFENCE}"),
    Sysctl("expire_nodest_conn", 0, _INTEGER, "connections of a server that was removed end"),
    Sysctl("expire_quiescent_template", 0, _INTEGER, "persistence ends at servers of weight 0"),
    Sysctl("lblc_expiration", 86400, _LONGEST, "seconds that lblc remembers a destination that nobody asks for"),
    Sysctl("lblcr_expiration", 86400, _LONGEST, "the same of lblcr"),
    Sysctl("nat_icmp_send", 0, _INTEGER, "what a NAT server's port sends without a connection is refused: ICMP"),
    Sysctl("pmtu_disc", 1, _INTEGER, "0: packets that do not fit their tunnel are cut, whatever they say"),
    Sysctl("run_estimation", 1, _INTEGER, "0: rates stand still"),
    Sysctl("schedule_icmp", 0, _INTEGER, "an ICMP error may open the connection that it is about"),
    Sysctl("secure_tcp", 0, 3, f"the table of TCP states that trusts less: {_DEFENCE}"),
    Sysctl("sloppy_sctp", 0, _INTEGER, "any SCTP packet but ABORT opens an association"),
    Sysctl("sloppy_tcp", 0, _INTEGER, "any TCP segment but RST opens a connection"),
)

_NO_DAEMON = "there is no daemon that synchronises connections"
_FIXED_ROWS = (
    FixedSysctl("backup_only", 0, f"it rests while the backup daemon runs, and {_NO_DAEMON}"),
    FixedSysctl("conntrack", 0, "balanced packets never reach netfilter, which could track them"),
    FixedSysctl("ignore_tunneled", 0, "nothing tells the programs that a packet has come out of a tunnel"),
    FixedSysctl("snat_reroute", 1, "replies are routed once, from the virtual address"),
    FixedSysctl("sync_persist_mode", None, _NO_DAEMON),
    FixedSysctl("sync_ports", None, _NO_DAEMON),
    FixedSysctl("sync_qlen_max", None, _NO_DAEMON),
    FixedSysctl("sync_refresh_period", None, _NO_DAEMON),
    FixedSysctl("sync_retries", None, _NO_DAEMON),
    FixedSysctl("sync_sock_size", None, _NO_DAEMON),
    FixedSysctl("sync_threshold", None, _NO_DAEMON),
    FixedSysctl("sync_version", None, _NO_DAEMON),
)
SYSCTLS = {row.name: row for row in _ROWS}
FIXED_SYSCTLS = {row.name: row for row in _FIXED_ROWS}


def default_sysctls() -> dict[str, int]:
    """The value of each setting before anybody changed it."""
    return {name: sysctl.default for name, sysctl in SYSCTLS.items()}


def fixed_sysctls() -> dict[str, int]:
    """The value of each setting that has just one."""
    return {name: fixed.value for name, fixed in FIXED_SYSCTLS.items() if fixed.value is not None}


def sysctl_name(text: str) -> str:
    """The name in `drop_packet`, `vs.drop_packet` or `net.ipv4.vs.drop_packet`; InvalidSysctl if there is none such.

    Of those with one value too.
    """
    name = next((text[len(prefix) :] for prefix in PREFIXES if text.startswith(prefix)), text)
    if name not in SYSCTLS and name not in FIXED_SYSCTLS:
        raise InvalidSysctl(f"there is no setting vs.{name}: `bpvs sysctl` lists them")
    return name


def refusal(name: str, value: str) -> InvalidSysctl:
    """Why the setting cannot have that value."""
    if name in FIXED_SYSCTLS:
        return InvalidSysctl(f"vs.{name} cannot be set: {FIXED_SYSCTLS[name].reason}")
    return InvalidSysctl(f"vs.{name} is 0 to {SYSCTLS[name].highest}, not {value}")


def changeable(values: Mapping[str, int]) -> dict[str, int]:
    """Those of the values, by plain name, that can change; InvalidSysctl if one of them cannot be set."""
    for name, value in values.items():
        fixed = FIXED_SYSCTLS.get(sysctl_name(name))
        if value != fixed.value if fixed else not 0 <= value <= SYSCTLS[name].highest:
            raise refusal(name, str(value))
    return {name: value for name, value in values.items() if name in SYSCTLS}
