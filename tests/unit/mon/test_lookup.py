# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest

from bpvs.model.mon import ALWAYS, AlertKind, AlertLine, Config, Hostgroup, Key, Period, Service, Settings
from bpvs.mon.alerts.registry import ALERTS
from bpvs.mon.lookup import Lookup
from bpvs.mon.monitors.registry import MONITORS
from bpvs.mon.places import places


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A basedir with two directories of each kind; `in.monitor` and `in.alert` are built in."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    monkeypatch.setitem(MONITORS, "in.monitor", "no.such.module")
    monkeypatch.setitem(ALERTS, "in.alert", "no.such.module")
    return tmp_path


def executable(path: Path, mode: int = 0o755) -> None:
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)


def lookup(base: Path) -> Lookup:
    return Lookup(places(Settings(basedir=str(base), mondir="one:two", alertdir="two:one"), base))


def test_the_first_directory_wins(base: Path) -> None:
    for directory in ("one", "two"):
        executable(base / directory / "x")
    assert lookup(base).monitor("x") == str(base / "one/x")
    assert lookup(base).alert("x") == str(base / "two/x")


def test_what_is_no_executable_file_is_passed_over(base: Path) -> None:
    executable(base / "one/x", mode=0o644)
    executable(base / "two/x")
    (base / "one/y").mkdir()
    assert lookup(base).monitor("x") == str(base / "two/x")
    assert lookup(base).monitor("y") is None


def test_a_script_wins_over_the_built_in_of_its_name(base: Path) -> None:
    assert lookup(base).monitor("in.monitor") == "builtin:in.monitor"
    assert lookup(base).alert("in.alert") == "builtin:in.alert"
    assert lookup(base).alert("in.monitor") is None
    executable(base / "two/in.monitor")
    assert lookup(base).monitor("in.monitor") == str(base / "two/in.monitor")


def test_only_another_lookup_sees_what_came_later(base: Path) -> None:
    first = lookup(base)
    assert first.monitor("x") is None
    executable(base / "one/x")
    assert first.monitor("x") is None
    assert lookup(base).monitor("x") == str(base / "one/x")


def test_what_is_missing_and_what_is_built_in_is_said_once_for_each_name(base: Path) -> None:
    lines = MappingProxyType({AlertKind.FAILURE: (AlertLine("gone.alert"), AlertLine("in.alert"))})
    services = {
        key: Service(key, monitor=words, periods=(Period("", ALWAYS, lines),), redistribute=AlertLine("r.alert"))
        for key, words in (
            (Key("a", "1"), ("in.monitor",)),
            (Key("a", "2"), ("gone.monitor", "-x")),
            (Key("a", "3"), ("gone.monitor",)),
            (Key("a", "4"), ()),
        )
    }
    config = Config(Settings(), {"a": Hostgroup("a")}, services, {}, {})
    found = lookup(base)
    mondirs, alertdirs = f"{base}/one:{base}/two", f"{base}/two:{base}/one"
    assert found.missing(config) == [
        f"gone.monitor: no executable of this name in {mondirs}, and no built-in one",
        f"gone.alert: no executable of this name in {alertdirs}, and no built-in one",
        f"r.alert: no executable of this name in {alertdirs}, and no built-in one",
    ]
    assert found.built_in(config) == [
        "in.monitor: the built-in one serves, no script of this name was found",
        "in.alert: the built-in one serves, no script of this name was found",
    ]
