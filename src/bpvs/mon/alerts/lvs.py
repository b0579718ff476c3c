# SPDX-License-Identifier: GPL-2.0-or-later
"""lvs.alert: a server that fails leaves its virtual services, and returns when it is well; mon-alerts(7)."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from bpvs.director import Director
from bpvs.mon.alerts.calling import AlertFailed, taken_apart
from bpvs.mon.core.world import named_hosts
from bpvs.mon.lvs.book import Book
from bpvs.mon.lvs.choice import read
from bpvs.mon.lvs.hosts import Resolver
from bpvs.mon.lvs.rounds import Round
from bpvs.mon.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpvs.model import Address
    from bpvs.mon.alerts.calling import Calling
    from bpvs.mon.core.values import CallAlert
    from bpvs.mon.lvs.choice import Choice
    from bpvs.testing import MemoryDirector

# Exit codes, as text, of a monitor that could not look at servers: sysexits(3) by the built-in ones, the shell's.
_COULD_NOT_LOOK = frozenset(map(str, (os.EX_USAGE, os.EX_SOFTWARE, 126, 127)))

_turn = threading.Lock()  # the books are one
_books: dict[str, Book] = {}
_resolver = Resolver()


async def alert(call: CallAlert) -> str:
    """Changes the table of this network namespace; what it changed, in words. AlertFailed, DirectorError."""
    return await in_thread(lambda: _in_turn(call))


def _in_turn(call: CallAlert) -> str:
    with _turn:
        return run(call, Director, _resolver)


def run(call: CallAlert, director: Callable[[], Director | MemoryDirector], resolver: Resolver) -> str:
    """The whole alert, blocking."""
    calling = taken_apart(call)
    choice = read(calling.own)
    if not (calling.is_failure or calling.is_up):
        return f"nothing to do at a call of type {call.kind.value}"
    failed = () if calling.is_up else failed_hosts(calling, call.environment.get("MON_RETVAL", ""))
    folder = call.environment["MON_STATEDIR"]
    if folder not in _books:
        _books[folder] = Book(folder)
    book = _books[folder]
    if calling.is_up and not any(str(call.key) in taken.holders for taken in book.taken.values()):
        return "nothing is out"
    addresses = _addresses(failed, resolver)
    try:
        place = director()
    except PermissionError as error:
        raise AlertFailed("lvs.alert changes the table, which only root may: run mon as root") from error
    return _change(place, book, calling, choice, addresses)


def failed_hosts(calling: Calling, status: str) -> tuple[str, ...]:
    """The hosts that the summary names, or the only one of the group; AlertFailed if that leaves it open.

    status: the monitor's exit code
    """
    found = named_hosts(calling.summary, calling.hosts)
    if not found and status in _COULD_NOT_LOOK:
        raise AlertFailed(
            f"nothing changed: the monitor itself is wrong, not a server (exit {status}): {calling.summary}"
        )
    if not found and len(calling.hosts) == 1:
        return calling.hosts
    if not found:
        raise AlertFailed(
            f"nothing changed: the summary {calling.summary!r} names none of the group's hosts "
            f"({', '.join(calling.hosts) or 'there are none'}); lvs.alert wants a monitor whose first line names those "
            "that failed, or a group of one host"
        )
    return found


def _addresses(hosts: tuple[str, ...], resolver: Resolver) -> dict[Address, str]:
    found = {address: host for host in hosts for address in resolver.addresses(host)}
    lost = [host for host in hosts if host not in found.values()]
    if lost:
        raise AlertFailed(f"nothing changed: {', '.join(lost)} cannot be resolved; write addresses into the hostgroup")
    return found


def _change(
    director: Director | MemoryDirector,
    book: Book,
    calling: Calling,
    choice: Choice,
    addresses: dict[Address, str],
) -> str:
    """Who is killed in the middle has forgotten nothing: the file says first what may be out, at the end what is.

    After an error all that may be out stays noted: what is in the table nevertheless is forgotten when it is well.
    """
    before, taken = book.taken, dict(book.taken)
    try:
        with director.change() as table:
            turn = Round(table, taken, choice, str(calling.key))
            turn.bring_back(lambda host: host in calling.hosts and host not in addresses.values())
            turn.take_out(addresses, calling.epoch, calling.summary)
            fault = book.save(before | taken) if taken != before else ""
    except BaseException:
        book.taken = before | taken
        raise
    book.taken = taken
    if not taken.keys() >= before.keys():
        fault = book.save(taken)
    return "; ".join(filter(None, (*turn.notes, *table.remarks, fault))) or "nothing changed"
