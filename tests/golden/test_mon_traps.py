# SPDX-License-Identifier: GPL-2.0-or-later
"""The traps that the real mon was sent, sent again: the same lines in the log, the same alerts, the same status."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

from bpvs.model.mon import AlertKind, Key
from bpvs.mon.core.values import CallAlert
from bpvs.mon.protocol.statuses import fields_of
from bpvs.mon.traps import Traps
from bpvs.text.mon.escape import unescape
from tests.mon.desk import Desk

FOLDER = Path(__file__).parent / "mon/06_traps"
BYPASS = "the user * opens nothing by itself"
EXPIRED = "the end of trapduration is a recovery: people are told, and the next failure is a new outage"
# What the last trap before had left.
NOTHING_CAME: dict[str, object] = {
    "opstatus": "1",
    "last_opstatus": "0",
    "exitval": "0",
    "last_summary": "",
    "alerts_sent": "0",
}
# By what was sent: which of our findings differ from the recorded ones, and why.
ACCEPTED: dict[str, tuple[str, dict[str, object]]] = {
    "user * (wildcard name) without password": (
        BYPASS,
        {"logs": [["err", "received trap from unknown user *, host 127.0.0.1"]], "alerts": [], **NOTHING_CAME},
    ),
    "from 127.0.0.9 (not in auth.cf), user *": (
        BYPASS,
        {"logs": [["err", "received trap from unauthorized host: 127.0.0.9"]], "alerts": [], **NOTHING_CAME},
    ),
    "from 127.0.0.9 user trapper good password": (
        BYPASS,
        {"logs": [["err", "received trap from unauthorized host: 127.0.0.9"]]},
    ),
    "old protocol": (BYPASS, NOTHING_CAME),
    "no sta": (BYPASS, NOTHING_CAME),
    "dur fail again": (EXPIRED, {"alerts_sent": "1"}),
}


class Player:
    """Our daemon's part, on a clock that the recording sets."""

    def __init__(self, folder: Path) -> None:
        for name in ("mon.cf", "auth.cf"):
            shutil.copy(FOLDER / name, folder / name)
        self.desk = Desk(folder)
        self._traps = Traps(self.desk)

    async def play(self, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
        await self._traps.start([])
        try:
            return [await self._step(step) for step in steps]
        finally:
            await self._traps.close()

    async def _step(self, step: dict[str, Any]) -> dict[str, Any]:
        stage = self.desk.stage
        stage.tick_until(step["at"])
        self.desk.logs.clear()
        stage.effects.clear()
        self._traps.take(step["datagram"].encode(), step["source"])
        async with asyncio.timeout(20):
            await self._traps._queue.join()
        found = {"logs": [list(line) for line in self.desk.logs], "alerts": [_said(call) for call in stage.calls()]}
        if step["status"]:
            key = Key(step["status"]["group"], step["status"]["service"])
            found |= fields_of(self.desk.engine, key, stage.now)
        return found


def _said(call: CallAlert) -> dict[str, object]:
    return {
        "kind": call.kind.value,
        "argv": list(call.arguments),
        "retval": call.environment["MON_RETVAL"],
        "opstatus": call.environment["MON_OPSTATUS"],
        "intended": call.environment.get("MON_TRAP_INTENDED"),
        "stdin": call.stdin.decode(),
    }


def _recorded(step: dict[str, Any]) -> dict[str, Any]:
    status = {name: unescape(value) for name, value in (step["status"] or {}).items() if name != "timer"}
    return {"logs": step["logs"], "alerts": step["alerts"], **status}


def _masked(findings: object) -> str:
    """It was another time."""
    text = re.sub(r"\b1795\d{6}\b", "EPOCH", json.dumps(findings, sort_keys=True))
    return re.sub(r" at \w{3} \w{3} .\d [\d:]{8} \d{4}", " at TIME", text)


def test_the_real_traps(tmp_path: Path) -> None:
    steps = json.loads((FOLDER / "traps.json").read_text())
    wrong, unused = [], set(ACCEPTED)
    for step, ours in zip(steps, asyncio.run(Player(tmp_path).play(steps)), strict=True):
        theirs = _recorded(step)
        expected = theirs | ACCEPTED.get(step["what"], ("", {}))[1]
        if expected != theirs:
            unused.discard(step["what"])
        shown = {name: ours[name] for name in expected}
        if _masked(shown) != _masked(expected):
            wrong.append(f"{step['at']} {step['what']}\n  right: {_masked(expected)}\n  bpvs:  {_masked(shown)}")
    assert not wrong, "\n".join(wrong)
    assert not unused


def test_the_end_of_a_trap_duration_is_a_recovery(tmp_path: Path) -> None:
    """mon 1.3.6 says nothing of it to anybody."""
    player = Player(tmp_path)
    stage, key = player.desk.stage, Key("trapgrp", "dur")
    stage.trap(key, 1, "dur fail")
    stage.tick_until(7)
    assert [call.kind for call in stage.calls() if call.key == key] == [AlertKind.TRAP, AlertKind.UP]
