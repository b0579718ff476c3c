# SPDX-License-Identifier: GPL-2.0-or-later
"""From the words of one ipvsadm command line to what they ask for, with the checks in the order of ipvsadm 1.31."""

from __future__ import annotations

from collections.abc import Iterator

from bpvs.model import (
    MAX_TIMEOUT,
    Address,
    Family,
    Method,
    Protocol,
    RealServer,
    ServiceKey,
    Timeouts,
    VirtualService,
)
from bpvs.model.value import dataclass
from bpvs.text import options
from bpvs.text.draft import METHODS, Draft
from bpvs.text.errors import NotACommand, UsageError
from bpvs.text.flags import parse_flags
from bpvs.text.integers import parse_integer
from bpvs.text.names import Resolver
from bpvs.text.popt import OptionScanner

PORT_OF_SERVICE = (Method.ROUTE, Method.TUNNEL)


@dataclass(frozen=True, slots=True)
class Daemon:
    """A synchronisation daemon as `--start-daemon` describes it; 0 and "" stand for the default."""

    state: str
    interface: str = "eth0"
    syncid: int = 0
    maxlen: int = 0
    group: str = ""
    port: int = 0
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class Command:
    """One command line that has passed every check that needs no table.

    `name`: the command's long spelling. `given`: the options by the names that messages use. `service` is set for
    commands that change a service, `server` for those that change a server, `key` for all that name a service.
    `local` is set for those that change a local address, `timeouts` for `--set`, `sysctl` for `--sysctl`: name and
    value.
    """

    name: str
    given: frozenset[str] = frozenset()
    key: ServiceKey | None = None
    service: VirtualService | None = None
    server: RealServer | None = None
    timeouts: Timeouts | None = None
    daemon: Daemon | None = None
    local: Address | None = None
    sysctl: tuple[str, int] | None = None


def parse_command(words: list[str], program: str, resolver: Resolver) -> Command:
    """Read one command line without its program name; no words at all list the table. UsageError."""
    if not words:
        return Command("list")
    scanner = OptionScanner(words, options.LONG, options.SHORT, options.VALUES)
    steps = iter(scanner)
    name, value = _first(steps, program)
    if name in ("help", "version"):
        return Command(name)
    scanner.short = options.short_spellings(name)
    draft = Draft(resolver)
    argument = _argument(name, value)
    for option, value in steps:
        if option in options.COMMANDS:
            raise UsageError(f"invalid option `{scanner.word}'")
        draft.take(option, value)
    timeouts = _timeouts(scanner.leftovers) if name == "set" else None
    if scanner.leftovers:
        raise UsageError(f"unexpected argument {scanner.leftovers[0]}")
    if draft.flag_list:
        draft.flags = parse_flags(draft.flag_list, draft.scheduler or "wlc")
    options.check_combination(name, draft.given)
    return _finish(name, draft, argument, timeouts)


def restore_words(line: str) -> list[str]:
    """The words of one line of `-R`: split at blanks, tabs and carriage returns, any word `ipvsadm` left out.

    There is no quoting and there are no comments.
    """
    words = line.replace("\t", " ").replace("\r", " ").replace("\n", " ").split(" ")
    return [word for word in words if word and word != "ipvsadm"]


def first_command(words: list[str]) -> str | None:
    """The long spelling of the command that the words begin with, without looking at the rest."""
    try:
        return _first(iter(OptionScanner(words, options.LONG, options.SHORT, options.VALUES)), "")[0]
    except NotACommand:
        return None


def _first(steps: Iterator[tuple[str, str | None]], program: str) -> tuple[str, str | None]:
    # Whatever is wrong with the first option, the answer is the same hint.
    try:
        name, value = next(steps)
    except (StopIteration, UsageError):
        raise NotACommand(program) from None
    if name not in options.COMMANDS:
        raise NotACommand(program)
    return name, value


def _argument(name: str, value: str | None) -> str:
    """What stands behind a command that wants one word; "" for the others."""
    if name == "start-daemon" and value not in ("master", "backup"):
        raise UsageError("illegal start-daemon parameter specified")
    if name == "stop-daemon" and value not in ("master", "backup"):
        raise UsageError("illegal start_daemon specified")
    return value or ""


def _timeouts(leftovers: list[str]) -> Timeouts:
    """Take the three numbers of `--set` away from the left-over words."""
    if len(leftovers) < 3:
        raise UsageError("--set option requires 3 timeout values")
    numbers = []
    for text in leftovers[:3]:
        number = parse_integer(text, 0, MAX_TIMEOUT)
        if number is None:
            raise UsageError(f"invalid timeout value `{text}' specified")
        numbers.append(number)
    del leftovers[:3]
    return Timeouts(*numbers)


def _finish(name: str, draft: Draft, argument: str, timeouts: Timeouts | None) -> Command:
    given = frozenset(draft.given)
    if name == "sysctl":
        from bpvs.text.sysctls import parse_assignment

        return Command(name, given, sysctl=parse_assignment(argument))
    if name == "list":
        options.check_listing(draft.given)
    if name in ("start-daemon", "stop-daemon"):
        daemon = Daemon(argument, draft.interface, draft.syncid, draft.maxlen, draft.group, draft.mcast_port, draft.ttl)
        return Command(name, given, daemon=daemon)
    key = draft.key() if "service-address" in given else None
    if key is None:
        return Command(name, given, timeouts=timeouts)
    if name in ("add-service", "edit-service"):
        return Command(name, given, key, service=_service(draft, key))
    if name in ("add-server", "edit-server"):
        return Command(name, given, key, server=_server(draft, key))
    if name == "delete-server":
        return Command(name, given, key, server=RealServer(draft.server_address(), draft.server_port))
    if name == "zero" and _is_nothing(key):
        key = None
    return Command(name, given, key, local=draft.local)


def _is_nothing(key: ServiceKey) -> bool:
    """True for 0.0.0.0:0, which `-Z` cannot tell from no service at all."""
    return not key.fwmark and not key.port and key.address is not None and not any(key.address.packed)


def _service(draft: Draft, key: ServiceKey) -> VirtualService:
    if not key.fwmark and key.port == 0 and draft.persistence is None:
        raise UsageError("Zero port specified for non-persistent service")
    if draft.ops and not key.fwmark and key.protocol != Protocol.UDP:
        raise UsageError("One-Packet Scheduling is only for UDP virtual services")
    if draft.synproxy and not key.fwmark and key.protocol != Protocol.TCP:
        raise UsageError("SYNPROXY is only for TCP virtual services")
    return VirtualService(
        key,
        draft.scheduler or "wlc",
        draft.flags,
        draft.persistence,
        draft.netmask(),
        draft.engine,
        draft.ops,
        draft.synproxy,
    )


def _server(draft: Draft, key: ServiceKey) -> RealServer:
    method = METHODS[draft.method]
    address, port = draft.server_address(), draft.server_port
    if not key.fwmark and method in PORT_OF_SERVICE:
        port = key.port
    _check_family(key.family, address.family, method)
    options.check_tunnel(draft.tunnel_type, draft.method, draft.given)
    return RealServer(address, port, method, draft.weight, draft.upper, draft.lower, draft.tunnel())


def _check_family(clients: Family, server: Family, method: Method) -> None:
    if clients == server or method == Method.TUNNEL:
        return
    if method != Method.FULLNAT:
        raise UsageError("Different address family is allowed only for tunneling servers")
    if clients == Family.IPV4:
        raise UsageError("FullNAT translates from IPv6 services to IPv4 servers, not from IPv4 to IPv6")
