# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bpvs.model.mon import AlertKind, Config, Key, Settings
from bpvs.mon.configuration import Setup
from bpvs.mon.disk import Disk
from bpvs.mon.logbooks import Logbooks
from bpvs.mon.places import places
from bpvs.text.mon.histories import Downtime, History

WEB = Key("web", "http")


def setup(directory: Path, **settings: object) -> Setup:
    known = Settings(logdir=str(directory), histlength=2, **settings)  # type: ignore[arg-type]
    return Setup(Config(known, {}, {}, {}, {}), places(known, directory))


def called(epoch: int) -> History:
    return History(AlertKind.UP, WEB, epoch, "/a.alert", ("x", "y"), "h1 h2")


async def write(one: Setup, *entries: History | Downtime) -> Logbooks:
    disk = Disk(lambda *_: None)
    books = Logbooks(one, disk)
    books.begin(7.9)
    for entry in entries:
        if isinstance(entry, History):
            books.note_alert(entry)
        else:
            books.note_downtime(entry)
    await disk.close()
    return books


def test_outages_are_written_behind_a_header_if_asked_for(tmp_path: Path) -> None:
    outage = Downtime(WEB, ended=20, began=10, seconds=10, interval=5, summary="h1 h2")
    books = asyncio.run(write(setup(tmp_path, dtlogging=True), outage))
    assert books.downtimes() == ["20 web http 10 10 5 h1 h2"]
    assert (tmp_path / "downtime.log").read_text().splitlines()[:2] == ["#", "# downtime log start 7"]


def test_without_dtlogging_there_is_no_downtime_log(tmp_path: Path) -> None:
    outage = Downtime(WEB, ended=20, began=10, seconds=10, interval=5, summary="h1 h2")
    books = asyncio.run(write(setup(tmp_path, dtlogging=False), outage))
    assert books.downtimes() is None
    assert list(tmp_path.iterdir()) == []


def test_the_newest_alerts_come_back(tmp_path: Path) -> None:
    one = setup(tmp_path, historicfile="hist.log")
    books = asyncio.run(write(one, called(1), called(2), called(3)))
    (tmp_path / "hist.log").write_text("half a li" + (tmp_path / "hist.log").read_text())
    assert books.past_alerts() == [called(2), called(3)]


def test_alerts_older_than_historictime_do_not(tmp_path: Path) -> None:
    one = setup(tmp_path, historicfile="hist.log", historictime=3600.0)
    recent = called(int(time.time()) - 60)
    assert asyncio.run(write(one, called(1), recent)).past_alerts() == [recent]


def test_no_history_yet(tmp_path: Path) -> None:
    assert asyncio.run(write(setup(tmp_path, historicfile="hist.log"))).past_alerts() == []
    assert asyncio.run(write(setup(tmp_path))).past_alerts() == []
