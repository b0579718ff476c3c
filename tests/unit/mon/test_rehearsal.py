# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes in the words of built-in monitors and alerts are found without running them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bpvs.model.mon import Settings
from bpvs.mon.alerts.registry import ALERTS, reader
from bpvs.mon.lookup import Lookup
from bpvs.mon.monitors.registry import MONITORS, find
from bpvs.mon.places import places
from bpvs.mon.rehearsal import wrong_words
from bpvs.text.errors import UsageError
from bpvs.text.mon.config import parse


def found(directory: Path, *lines: str) -> list[str]:
    """What is wrong with a service of these lines."""
    config = parse("\n".join(["hostgroup web 192.0.2.1", "", "watch web", "service http", *lines, ""]))
    return wrong_words(config, Lookup(places(Settings(mondir=str(directory), alertdir=str(directory)), directory)))


@pytest.mark.parametrize("name", MONITORS)
def test_every_monitor_is_read_as_it_reads_itself(name: str, tmp_path: Path) -> None:
    check = find(name)
    assert check

    async def run() -> None:
        await check(["--nonsense"], [], {})

    with pytest.raises(UsageError) as error:
        asyncio.run(run())
    reason = str(error.value).partition(": ")[2]
    assert found(tmp_path, f"monitor {name} --nonsense") == [f"web:http: {name}: {reason}"]


@pytest.mark.parametrize("name", sorted(ALERTS.keys() - {"test.alert"}))
def test_every_alert_with_options_is_read(name: str, tmp_path: Path) -> None:
    assert found(tmp_path, "period", f"alert {name} --nonsense=secret")[0].startswith(f"web:http: {name}: ")
    assert "secret" not in found(tmp_path, "period", f"alert {name} --nonsense=secret")[0]


def test_what_takes_any_words_is_content(tmp_path: Path) -> None:
    assert reader("test.alert") is None
    assert found(tmp_path, "monitor http.monitor -t 2", "period", "alert test.alert -x", "upalert lvs.alert") == []


def test_every_line_is_read_and_each_mistake_told_once(tmp_path: Path) -> None:
    lines = ("redistribute lvs.alert --quiese", "period", "alert lvs.alert --quiese", "upalert mail.alert")
    first, second = found(tmp_path, *lines)
    assert first.startswith("web:http: lvs.alert: unrecognized arguments: --quiese; usage: lvs.alert [--remove")
    assert second.startswith("web:http: mail.alert: the following arguments are required: ADDRESS; ")


def test_a_script_of_the_same_name_takes_what_it_likes(tmp_path: Path) -> None:
    for name in ("http.monitor", "lvs.alert"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    assert found(tmp_path, "monitor http.monitor --own", "period", "alert lvs.alert --own") == []
