# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands and options of ipvsadm 1.31 as tables: spellings, values, and which go together.

What FullNAT and SYNPROXY need, which 1.31 does not have, is spelt as in the ipvsadm of Alibaba's LVS and of DPVS;
`--json`, `--dry-run`, `--atomic` and `--sysctl` are our own.
"""

from __future__ import annotations

from collections.abc import Mapping

from bpvs.text.errors import UsageError
from bpvs.text.popt import NO_VALUE, OPTIONAL_VALUE, VALUE

# (long spelling, short spelling, value)
_COMMANDS = (
    ("add-service", "A", NO_VALUE),
    ("edit-service", "E", NO_VALUE),
    ("delete-service", "D", NO_VALUE),
    ("clear", "C", NO_VALUE),
    ("list", "L", NO_VALUE),
    ("list", "l", NO_VALUE),
    ("zero", "Z", NO_VALUE),
    ("add-server", "a", NO_VALUE),
    ("edit-server", "e", NO_VALUE),
    ("delete-server", "d", NO_VALUE),
    ("set", "", NO_VALUE),
    ("help", "h", NO_VALUE),
    ("version", "v", NO_VALUE),
    ("restore", "R", NO_VALUE),
    ("save", "S", NO_VALUE),
    ("start-daemon", "", VALUE),
    ("stop-daemon", "", VALUE),
    ("add-laddr", "P", NO_VALUE),
    ("del-laddr", "Q", NO_VALUE),
    ("get-laddr", "G", NO_VALUE),
    ("sysctl", "", VALUE),
)
_OPTIONS = (
    ("tcp-service", "t", VALUE),
    ("udp-service", "u", VALUE),
    ("sctp-service", "", VALUE),
    ("fwmark-service", "f", VALUE),
    ("scheduler", "s", VALUE),
    ("persistent", "p", OPTIONAL_VALUE),
    ("netmask", "M", VALUE),
    ("real-server", "r", VALUE),
    ("masquerading", "m", NO_VALUE),
    ("ipip", "i", NO_VALUE),
    ("gatewaying", "g", NO_VALUE),
    ("fullnat", "", NO_VALUE),
    ("weight", "w", VALUE),
    ("u-threshold", "x", VALUE),
    ("l-threshold", "y", VALUE),
    ("numeric", "n", NO_VALUE),
    ("connection", "c", NO_VALUE),
    ("mcast-interface", "", VALUE),
    ("mcast-group", "", VALUE),
    ("mcast-port", "", VALUE),
    ("mcast-ttl", "", VALUE),
    ("syncid", "", VALUE),
    ("sync-maxlen", "", VALUE),
    ("timeout", "", NO_VALUE),
    ("daemon", "", NO_VALUE),
    ("stats", "", NO_VALUE),
    ("rate", "", NO_VALUE),
    ("thresholds", "", NO_VALUE),
    ("persistent-conn", "", NO_VALUE),
    ("tun-info", "", NO_VALUE),
    ("nosort", "", NO_VALUE),
    ("sort", "", NO_VALUE),
    ("exact", "X", NO_VALUE),
    ("ipv6", "6", NO_VALUE),
    ("ops", "o", NO_VALUE),
    ("pe", "", VALUE),
    ("sched-flags", "b", VALUE),
    ("tun-type", "", VALUE),
    ("tun-port", "", VALUE),
    ("tun-nocsum", "", NO_VALUE),
    ("tun-csum", "", NO_VALUE),
    ("tun-remcsum", "", NO_VALUE),
    ("local-address", "z", VALUE),
    ("laddr", "", VALUE),
    ("synproxy", "j", VALUE),
    ("json", "", NO_VALUE),
    ("dry-run", "", NO_VALUE),
    ("atomic", "", NO_VALUE),
)
COMMANDS = frozenset(name for name, _, _ in _COMMANDS)
LONG = {name: name for name, _, _ in _COMMANDS + _OPTIONS}
SHORT = {letter: name for name, letter, _ in _COMMANDS + _OPTIONS if letter}
VALUES = {name: value for name, _, value in _COMMANDS + _OPTIONS}
_SERVER_SHORT = {**SHORT, "b": "fullnat"}

# Several spellings, one option in messages and in the rules below.
GROUPS = {
    "tcp-service": "service-address",
    "udp-service": "service-address",
    "sctp-service": "service-address",
    "fwmark-service": "service-address",
    "masquerading": "forwarding-method",
    "ipip": "forwarding-method",
    "gatewaying": "forwarding-method",
    "fullnat": "forwarding-method",
    "laddr": "local-address",
}
# The order in which the rules are checked decides which message wins.
_CHECK_ORDER = [
    "numeric",
    "connection",
    "service-address",
    "scheduler",
    "persistent",
    "netmask",
    "real-server",
    "forwarding-method",
    "weight",
    "u-threshold",
    "l-threshold",
    "mcast-interface",
    "timeout",
    "daemon",
    "stats",
    "rate",
    "thresholds",
    "persistent-conn",
    "nosort",
    "syncid",
    "exact",
    "ops",
    "pe",
    "sched-flags",
    "mcast-group",
    "mcast-port",
    "mcast-ttl",
    "sync-maxlen",
    "tun-info",
    "tun-type",
    "tun-port",
    "tun-nocsum",
    "tun-csum",
    "tun-remcsum",
    "local-address",
    "synproxy",
    "json",
    "dry-run",
    "atomic",
]
_SERVICE_OPTIONS = "scheduler persistent netmask ops pe sched-flags synproxy dry-run"
_TUNNEL_OPTIONS = ("tun-type", "tun-port", "tun-nocsum", "tun-csum", "tun-remcsum")
_SERVER_OPTIONS = f"forwarding-method weight u-threshold l-threshold {' '.join(_TUNNEL_OPTIONS)} dry-run"
# command: (needed, allowed, at most one of)
_RULES = {
    "add-service": ("service-address", _SERVICE_OPTIONS, ""),
    "edit-service": ("service-address", _SERVICE_OPTIONS, ""),
    "delete-service": ("service-address", "dry-run", ""),
    "clear": ("", "dry-run", ""),
    "restore": ("", "dry-run atomic", ""),
    "save": ("", "numeric json", ""),
    "add-server": ("service-address real-server", _SERVER_OPTIONS, ""),
    "edit-server": ("service-address real-server", _SERVER_OPTIONS, ""),
    "delete-server": ("service-address real-server", "dry-run", ""),
    "list": (
        "",
        "numeric stats rate thresholds persistent-conn nosort syncid exact tun-info json",
        "connection service-address timeout daemon",
    ),
    "zero": ("", "service-address dry-run", ""),
    "set": ("", "dry-run", ""),
    "start-daemon": ("", "mcast-interface syncid mcast-group mcast-port mcast-ttl sync-maxlen", ""),
    "stop-daemon": ("", "syncid", ""),
    "add-laddr": ("service-address local-address", "dry-run", ""),
    "del-laddr": ("service-address local-address", "dry-run", ""),
    "get-laddr": ("", "numeric service-address json", ""),
    "sysctl": ("", "dry-run", ""),
}
# What most command lines are: with all that is needed, and nothing but that and what is allowed.
_USUAL = {
    command: (frozenset(needed.split()), frozenset(f"{needed} {allowed}".split()))
    for command, (needed, allowed, _) in _RULES.items()
}
_SPOKEN = {"clear": "flush"}
_TUNNEL_RULES = {
    "ipip": ("", "tun-type", ""),
    "gue": ("tun-port", "tun-type", "tun-nocsum tun-csum tun-remcsum"),
    "gre": ("", "tun-type", "tun-nocsum tun-csum"),
}


def short_spellings(command: str) -> Mapping[str, str]:
    """The options by letter as the command reads them: of a server, `-b` is FullNAT."""
    return _SERVER_SHORT if command in ("add-server", "edit-server") else SHORT


def check_combination(command: str, given: set[str]) -> None:
    """UsageError if the command lacks an option that it needs or has one that it cannot have."""
    needed, possible = _USUAL[command]
    if needed <= given <= possible:
        return
    _check(_CHECK_ORDER, _RULES[command], given, f"'{_SPOKEN.get(command, command)}' command")


def check_tunnel(tunnel_type: str, method: str, given: set[str]) -> None:
    """UsageError if a tunnel option does not fit the forwarding method or the tunnel type."""
    if method != "ipip":
        if given.intersection(_TUNNEL_OPTIONS):
            raise UsageError("Tunnel options conflict with forward method")
        return
    _check(_TUNNEL_OPTIONS, _TUNNEL_RULES[tunnel_type], given, f"'{tunnel_type}' tunnel type")


def check_listing(given: set[str]) -> None:
    """UsageError for a choice of listing that excludes another, which the table of `-L` does not show."""
    apart = given & {"connection", "timeout", "daemon"}
    clash = apart and given & {"stats", "rate", "thresholds"}
    if clash or (apart - {"connection"} and "persistent-conn" in given):
        raise UsageError("options conflicts in the list command")


def _check(order: list[str] | tuple[str, ...], rule: tuple[str, str, str], given: set[str], where: str) -> None:
    needed, allowed, exclusive = (set(names.split()) for names in rule)
    earlier = None
    for option in order:
        if option not in given:
            if option in needed:
                raise UsageError(f"You need to supply the '{option}' option for the {where}")
        elif option in exclusive:
            if earlier:
                raise UsageError(f"The option '{option}' conflicts with the '{earlier}' option in the {where}")
            earlier = option
        elif option not in needed and option not in allowed:
            raise UsageError(f"Illegal '{option}' option with the {where}")
