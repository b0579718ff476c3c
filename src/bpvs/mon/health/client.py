# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks the daemon of this network namespace for its health."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from typing import Any

from bpvs.model import BpvsError
from bpvs.mon.health.socket import REQUEST, address, peer

DEFAULT_PORT = 2583
_PATIENCE = 10.0  # seconds

Snapshot = dict[str, Any]


class NotAnswered(BpvsError):
    """No daemon answered; the sentence says what would be right."""

    text = "no monitor daemon answers"


class NotRunning(NotAnswered):
    """There is none."""


def ask(port: int) -> Snapshot:
    """A snapshot of the daemon whose clients use this TCP port. NotRunning, NotAnswered."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(address(port))
            _check(connection)
            with suppress(BrokenPipeError):  # who is turned away is told so before anything is asked
                connection.sendall(REQUEST + b"\n")
            with connection.makefile("rb") as lines:
                found = json.loads(lines.readline())
        except ConnectionRefusedError:
            raise NotRunning(
                f"no monitor daemon with port {port} runs in this network namespace: start `mon`, or give its port by "
                "--port"
            ) from None
        except (OSError, ValueError) as error:
            raise NotAnswered(f"the monitor daemon does not answer: {error}") from error
    if "error" in found:
        raise NotAnswered(f"the monitor daemon says: {found['error']}")
    return dict(found)


def _check(connection: socket.socket) -> None:
    """Anybody may take an abstract name: what an unprivileged stranger says is not shown to others than root."""
    pid, uid = peer(connection)
    if os.geteuid() != 0 and uid not in (0, os.geteuid()):
        raise NotAnswered(f"process {pid} of user {uid} has the monitor daemon's place: ask as root")
