# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls as the daemon makes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bpvs.model.mon import AlertKind, Key
from bpvs.mon.alerts.registry import find
from bpvs.mon.core.values import CallAlert

Call = Callable[..., str]
SAID = b"10.0.0.1\nHOST 10.0.0.1: refused\n.hidden\n"


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Calls a built-in alert to its end, and gives the line that it returns."""

    def run(name: str, *own: str, kind: AlertKind = AlertKind.FAILURE, stdin: bytes = SAID, timeout: float = 60) -> str:
        alert = find(name)
        assert alert
        flag = ["-u"] if kind is AlertKind.UP else []
        words = ("-s", "http", "-g", "WEB", "-h", "10.0.0.1 10.0.0.2", "-t", "1795377522", *flag, *own)
        variables = {"MON_LOGDIR": str(tmp_path), "MON_DESCRIPTION": "shop", "MON_OPSTATUS": "0"}
        made = CallAlert(Key("WEB", "http"), kind, name, words, variables, stdin)
        return asyncio.run(asyncio.wait_for(alert(made), timeout))

    return run
