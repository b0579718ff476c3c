# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from bpvs.model.mon import Settings
from bpvs.mon.places import missing_directories, places


def test_what_nobody_names_is_where_mon_has_it() -> None:
    found = places(Settings())
    assert found.cfbasedir == Path("/etc/mon")
    assert found.authfile == Path("/etc/mon/auth.cf")
    assert found.userfile == Path("/etc/mon/monusers.cf")
    assert found.alertdirs == (Path("/usr/local/lib/mon/alert.d"), Path("/usr/lib/mon/alert.d"))
    assert found.mondirs == (Path("/usr/local/lib/mon/mon.d"), Path("/usr/lib/mon/mon.d"))
    assert found.statedir in (Path("/var/state/mon"), Path("/var/lib/mon"))
    assert found.pidfile in (Path("/run/mon/mon.pid"), Path("/run/mon.pid"))
    assert found.historicfile is None
    assert found.monerrfile == Path("/dev/null")


def test_relative_names_are_below_their_base(tmp_path: Path) -> None:
    settings = Settings(
        basedir=str(tmp_path),
        cfbasedir="/cf",
        mondir="own:/abs/s: mon.d/ ",
        statedir="state",
        logdir="logs",
        authfile="who.cf",
        dtlogfile="down.log",
        historicfile="/var/hist",
    )
    found = places(settings)
    assert found.mondirs == (tmp_path / "own", Path("/abs/s"), tmp_path / "mon.d")
    assert found.statedir == tmp_path / "state"
    assert found.authfile == Path("/cf/who.cf")
    assert found.dtlogfile == tmp_path / "logs" / "down.log"
    assert found.historicfile == Path("/var/hist")


def test_a_relative_base_is_below_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert places(Settings(basedir="b", statedir="s")).statedir == tmp_path / "b" / "s"


def test_an_empty_pidfile_is_none() -> None:
    assert places(Settings(pidfile="")).pidfile is None


def test_only_directories_that_somebody_named_are_missed(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    settings = Settings(basedir=str(tmp_path), mondir="here:gone")
    assert missing_directories(settings, places(settings)) == [f"mondir: {tmp_path}/gone is no directory"]
    assert missing_directories(Settings(), places(Settings())) == []
