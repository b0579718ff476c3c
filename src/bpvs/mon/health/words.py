# SPDX-License-Identifier: GPL-2.0-or-later
"""Times, results and servers of a snapshot in words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from bpvs.mon.lvs.rounds import spoken
from bpvs.text.undocument import read_key, read_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpvs.model import RealServer
    from bpvs.mon.health.client import Snapshot

    Part = Mapping[str, Any]

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def age(seconds: float) -> str:
    """`12 s`, `4 min`, `3 h`, `2 d`: whole units, rounded down."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def moment(epoch: int, now: int) -> str:
    """A time, and how long ago that was or how soon it will be."""
    text = time.strftime("%H:%M:%S" if abs(now - epoch) < 86400 // 2 else "%Y-%m-%d %H:%M:%S", time.localtime(epoch))
    return f"{text} ({age(now - epoch)} ago)" if epoch <= now else f"{text} (in {age(epoch - now)})"


def result(service: Part, host: str) -> str:
    """What the last check said of a host, in one line: its own line of the detail if it has one, else the summary."""
    for line in (service["detail"] or "").splitlines():
        name, colon, said = line.removeprefix("HOST ").partition(": ")
        if colon and name == host:
            return str(said).strip()
    if service["status"] == "untested":
        return "not checked yet"
    return service["summary"] or ("no word" if service["status"] == "fail" else "well")


def name(service: Part) -> str:
    """`group:service`."""
    return f"{service['group']}:{service['service']}"


def outs(snapshot: Snapshot, host: str) -> Iterator[tuple[Part, RealServer, str]]:
    """What lvs.alert holds out for this host: the entry, the server as it was, and the virtual service."""
    for entry in snapshot["out"]:
        server = read_server(entry["server"])
        hosts = {holder["host"] for holder in entry["holders"].values()} | {str(server.address)}
        if host in hosts:
            yield entry, server, spoken(read_key(entry["service"]))
