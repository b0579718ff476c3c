# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from bpvs.model import BpvsError
from bpvs.model.mon import Key
from bpvs.mon.core.engine import Engine
from bpvs.mon.core.values import Moment
from bpvs.mon.disk import Disk
from bpvs.mon.lookup import Lookup
from bpvs.mon.places import places
from bpvs.mon.store import Store
from bpvs.text.mon.config import parse

WEB, MAIL = Key("web", "http"), Key("mail", "smtp")
CONFIGURATION = """
hostgroup web h1 h2

watch web
 service http
  interval 5s

hostgroup mail h3

watch mail
 service smtp
  interval 5s
"""


class Run:
    """A daemon's engine and store on a directory."""

    def __init__(self, directory: Path, text: str = CONFIGURATION) -> None:
        self.lines: list[tuple[str, str]] = []
        self.now = Moment(1000.0, 2000.0)
        config = parse(text)
        scripts = Lookup(places(config.settings, directory))
        self.engine = Engine(config, Random(1), self.now, known_scripts=scripts)  # noqa: S311 - a test repeats
        self._log = lambda level, text: self.lines.append((level, text))
        self.disk = Disk(self._log)
        self.store = Store(directory, self.engine, self.disk, self._log, lambda _: None)

    def do(self, work: Callable[[], Awaitable[object]]) -> None:
        async def scene() -> None:
            await work()
            await self.store.close()
            await self.disk.close()

        asyncio.run(scene())


def saved(directory: Path) -> Run:
    """A run that ended with something known and something disabled."""
    run = Run(directory)

    async def work() -> None:
        run.engine.states[WEB].alert_count = 7
        run.engine.disable_hosts(["h2"])
        run.engine.states[MAIL].is_disabled = True
        run.store.changed(WEB, soon=True)
        run.store.changed(MAIL, soon=False)
        await run.store.write_disabled()

    run.do(work)
    return run


def test_the_next_run_knows_it(tmp_path: Path) -> None:
    saved(tmp_path)
    run = Run(tmp_path)
    run.store.load(("disabled", "opstatus"), run.now)
    assert run.engine.states[WEB].alert_count == 7
    assert run.engine.disabled_hosts == {("web", "h2")}
    assert run.engine.states[MAIL].is_disabled
    assert run.lines == [("info", f"state of 2 services taken over from {tmp_path}")]


@pytest.mark.parametrize(("kind", "count", "hosts"), [("opstatus", 7, set()), ("disabled", 0, {("web", "h2")})])
def test_each_kind_by_itself(tmp_path: Path, kind: str, count: int, hosts: set[tuple[str, str]]) -> None:
    saved(tmp_path)
    run = Run(tmp_path)
    run.store.load((kind,), run.now)
    assert (run.engine.states[WEB].alert_count, run.engine.disabled_hosts) == (count, hosts)


def test_what_there_is_no_more_is_told_and_left_out(tmp_path: Path) -> None:
    saved(tmp_path)
    run = Run(tmp_path, "watch other\n service x\n  interval 5s\n")
    run.store.load(("disabled", "opstatus"), run.now)
    assert [text for level, text in run.lines if level == "notice"] == [
        "state of web:http, which is not there any more, is left out",
        "state of mail:smtp, which is not there any more, is left out",
        "disabled host h2 is in no group any more",
        "disabled service mail:smtp is not there any more",
    ]


def test_without_files_nothing_is_known(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.store.load(("disabled", "opstatus"), run.now)
    assert run.lines == []


def test_a_file_that_is_no_state_changes_nothing(tmp_path: Path) -> None:
    saved(tmp_path)
    (tmp_path / "disabled").write_text("disable everything\n")
    run = Run(tmp_path)
    with pytest.raises(BpvsError, match="disabled:1"):
        run.store.load(("disabled", "opstatus"), run.now)
    assert run.engine.states[WEB].alert_count == 0


def test_saving_into_a_directory_that_is_gone_is_an_error(tmp_path: Path) -> None:
    run = Run(tmp_path / "gone")

    async def work() -> None:
        with pytest.raises(BpvsError, match="state cannot be written: No such file or directory"):
            await run.store.save(("opstatus",))

    run.do(work)
    assert [level for level, _ in run.lines] == ["err"]
