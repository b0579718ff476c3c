# SPDX-License-Identifier: GPL-2.0-or-later
"""What lvs.alert took out of the table, and for whom: a file that outlives the daemon."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from bpvs.model import Address, RealServer, ServiceKey
from bpvs.model.value import dataclass
from bpvs.mon.alerts.calling import AlertFailed
from bpvs.text.document import key_document, server_document
from bpvs.text.undocument import read_key, read_server

FILE = "lvs.alert.json"
VERSION = 1

Place = tuple[ServiceKey, Address, int]  # a server of a service: service, server's address and port


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a server out: since when (epoch), for which of the group's hosts, and what was said."""

    host: str
    since: int
    summary: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A server that is out: as it was, whether it was removed or only got weight 0, and its holders by group:service.

    It comes back when the last holder lets it go.
    """

    key: ServiceKey
    server: RealServer
    is_removed: bool
    holders: dict[str, Holder]

    @property
    def place(self) -> Place:
        """Where it belongs."""
        return self.key, self.server.address, self.server.port


class Book:
    """All that is out, by its place. The file is read once; afterwards it only follows.

    AlertFailed if the file is not one of ours.
    """

    def __init__(self, folder: str) -> None:
        self.path = Path(folder, FILE)
        self.taken: dict[Place, Taken] = read(self.path)

    def save(self, taken: dict[Place, Taken]) -> str:
        """Writes a file that says this, all or nothing; returns "" or a sentence that says why not."""
        beside = self.path.with_suffix(".new")
        try:
            beside.write_text(text(taken), encoding="utf-8")
            os.replace(beside, self.path)
        except OSError as error:
            return f"{self.path} could not be written, so a restart would forget this: {error.strerror}"
        return ""


def read(path: Path) -> dict[Place, Taken]:
    """What a file says is out; nothing if there is none. AlertFailed."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["version"] != VERSION:
            raise ValueError(f"version {found['version']}, not {VERSION}")
        return {one.place: one for one in map(_taken, found["servers"])}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AlertFailed(
            f"{path} cannot be read ({error}): move it away, and put its servers back by ipvsadm"
        ) from error


def text(taken: dict[Place, Taken]) -> str:
    """The file's content, the reverse of `read`."""
    return json.dumps({"version": VERSION, "servers": [document(one) for one in taken.values()]}, indent=1) + "\n"


def document(taken: Taken) -> dict[str, object]:
    """What the file says of a server; `read` is the reverse."""
    holders = {
        name: {"host": one.host, "since": one.since, "summary": one.summary} for name, one in taken.holders.items()
    }
    return {
        "service": key_document(taken.key),
        "server": server_document(taken.server),
        "how": "remove" if taken.is_removed else "quiesce",
        "holders": holders,
    }


def _taken(document: dict[str, Any]) -> Taken:
    holders = {
        str(name): Holder(str(one["host"]), int(one["since"]), str(one["summary"]))
        for name, one in document["holders"].items()
    }
    return Taken(read_key(document["service"]), read_server(document["server"]), document["how"] == "remove", holders)
