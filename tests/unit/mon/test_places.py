# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from pathlib import Path

from bpvs.model.mon import Settings
from bpvs.mon.places import missing_places, places

HERE = Path("/here")


def test_what_nobody_names_is_where_mon_has_it() -> None:
    found = places(Settings(), HERE)
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
    found = places(settings, HERE)
    assert found.mondirs == (tmp_path / "own", Path("/abs/s"), tmp_path / "mon.d")
    assert found.statedir == tmp_path / "state"
    assert found.authfile == Path("/cf/who.cf")
    assert found.dtlogfile == tmp_path / "logs" / "down.log"
    assert found.historicfile == Path("/var/hist")


def test_relative_bases_are_below_the_current_directory() -> None:
    found = places(Settings(basedir="b", statedir="s", cfbasedir=".", pidfile="pid"), HERE)
    assert (found.statedir, found.authfile, found.pidfile) == (HERE / "b/s", HERE / "auth.cf", HERE / "pid")


def test_an_empty_pidfile_is_none() -> None:
    assert places(Settings(pidfile=""), HERE).pidfile is None


def test_only_what_somebody_named_is_missed(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    settings = Settings(basedir=str(tmp_path), cfbasedir=str(tmp_path), mondir="here:gone", userfile="users")
    assert missing_places(settings, places(settings, HERE)) == [
        f"mondir: {tmp_path}/gone is no directory",
        f"userfile: {tmp_path}/users is not there, and lets nobody in",
    ]
    assert missing_places(Settings(), places(Settings(), HERE)) == []
