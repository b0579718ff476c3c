# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from bpvs.mon.readiness import Readiness


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_systemd_is_told_and_nobody_else_learns_where(tmp_path: Path, kind: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        name = str(tmp_path / "notify") if kind == "path" else f"@bpvs-test-{os.getpid()}"
        systemd.bind(name.replace("@", "\0"))
        systemd.settimeout(10)
        environment = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1", "HOME": "/"}
        readiness = Readiness(environment)
        assert environment == {"HOME": "/"}
        assert readiness.watchdog == 1.5
        readiness.ready("watching")
        readiness.reloading()
        readiness.alive()
        readiness.stopping()
        assert systemd.recv(999) == b"READY=1\nSTATUS=watching"
        reloading, _, since = systemd.recv(999).partition(b"\nMONOTONIC_USEC=")
        assert reloading == b"RELOADING=1"
        assert int(since) > 0
        assert systemd.recv(999) == b"WATCHDOG=1"
        assert systemd.recv(999) == b"STOPPING=1"


def test_without_systemd_nothing_happens(tmp_path: Path) -> None:
    assert Readiness({}).watchdog is None
    Readiness({}).ready("watching")
    Readiness({"NOTIFY_SOCKET": str(tmp_path / "gone")}).stopping()
