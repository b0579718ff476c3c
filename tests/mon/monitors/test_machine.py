# SPDX-License-Identifier: GPL-2.0-or-later
"""Monitors of the machine itself: process, file, file_change, freespace, loadavg."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from bpvs.lab.wait import until
from bpvs.model import BpvsError
from bpvs.mon.monitors.aside import aside
from bpvs.mon.monitors.registry import find
from bpvs.mon.monitors.report import HostReport, status_of
from bpvs.mon.monitors.verdict import Sick
from bpvs.text.errors import UsageError


def look(
    monitor: str, arguments: Sequence[str], hosts: Sequence[str] = (), state: Path | None = None
) -> list[HostReport]:
    run = find(f"{monitor}.monitor")
    assert run

    async def once() -> list[HostReport]:
        return await run(arguments, hosts, {"MON_STATEDIR": str(state)} if state else {})

    return asyncio.run(once())


def said(monitor: str, arguments: Sequence[str], hosts: Sequence[str] = (), state: Path | None = None) -> list[str]:
    """A word for each report, and what it says."""
    reports = look(monitor, arguments, hosts, state)
    return [f"{'well' if one.is_ok else 'sick'} {one.host}: {one.text}" for one in reports]


def test_processes_are_counted(tmp_path: Path) -> None:
    program = tmp_path / "bpvs_mon_sleeper_with_a_long_name"
    shutil.copy("/bin/sleep", program)
    script = tmp_path / "bpvs_mon_script"
    script.write_text(f"#!/bin/sh\n{program} 60\n")
    script.chmod(0o755)
    with subprocess.Popen([program, "60"]) as one, subprocess.Popen([script], start_new_session=True) as two:
        try:
            name = program.name
            until(lambda: look("process", [f"{name}:2-2"])[0].is_ok, "both sleep")
            assert said("process", [name, "bpvs_mon_script"], [f"{name}:3-", f"{name}:-1", "bpvs_mon_absent:0-0"]) == [
                f"well {name}: 2 of {name} run",
                "well bpvs_mon_script: 1 of bpvs_mon_script run",
                f"sick {name}:3-: 2 of {name} run, wanted are 3 or more",
                f"sick {name}:-1: 2 of {name} run, wanted are 0 to 1",
                "well bpvs_mon_absent:0-0: 0 of bpvs_mon_absent run",
            ]
            one.kill()
            until(lambda: not look("ps", [f"{name}:2-"])[0].is_ok, "a zombie does not count")
        finally:
            one.kill()
            os.killpg(two.pid, 9)


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("all is well\n")
    os.utime(file, (time.time() - 3600,) * 2)
    path = str(file)
    assert said(
        "file", ["--max-age", "2h", "--min-age=1m", "--min-size", "1", "--max-size", "1K", "-m", "w.ll", path]
    ) == [f"well {path}: 12 bytes, changed 3600 s ago"]
    reasons = {
        ("--max-age", "10m"): "changed 3600 s ago, wanted is at most 600 s",
        ("--min-age", "1d"): "changed 3600 s ago, wanted is at least 86400 s",
        ("--min-size", "1K"): "has 12 bytes, wanted are at least 1024",
        ("--max-size", "11"): "has 12 bytes, wanted are at most 11",
        ("--match", "ERROR"): "nothing matches in its last 12 bytes",
    }
    for arguments, reason in reasons.items():
        assert said("file", [*arguments, path]) == [f"sick {path}: {reason}"]


def test_files_that_are_none(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    missing, below = f"{tmp_path}/missing", "/etc/passwd/below"
    assert said("file", [], [missing, below]) == [f"sick {missing}: does not exist", f"sick {below}: does not exist"]
    assert said("file", ["-m", "x", str(pipe)]) == [f"sick {pipe}: is no regular file, so nothing can match in it"]


def test_changed_files(tmp_path: Path) -> None:
    state, base = tmp_path / "state", tmp_path / "base"
    state.mkdir()
    base.mkdir()
    for name in ("a", "b", "c d"):
        (base / name).write_text(name)
    arguments = ["-b", str(base)]

    def states(*names: str) -> list[bool]:
        return [report.is_ok for report in look("file_change", [*arguments, *names], state=state)]

    assert states("a", "*") == [True, True, True]
    (base / "a").write_text("new")
    (base / "b").unlink()
    assert states("a", "b", "c d") == [False, False, True]
    assert states("a", "b", "c d") == [True, False, True]
    (base / "c d").write_text("newer")
    assert states("a") == [True]
    assert states("c d") == [False]
    kept = (state / str(base).replace("/", "_")).read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in kept] == [f"{base}/a", f"{base}/b", f"{base}/c d"]
    assert kept[0].split()[1] == "22af645d1859cb5ca6da0c484f1f37ea"


def test_changed_files_whose_state_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    with pytest.raises(UsageError, match="MON_STATEDIR is not set"):
        look("file_change", ["-b", str(tmp_path), "a"])
    with pytest.raises(BpvsError, match="cannot be written: No such file or directory"):
        look("file_change", ["-b", str(tmp_path), "a"], state=tmp_path / "missing")


def test_free_space() -> None:
    assert look("freespace", ["/proc:0"])[0].is_ok
    reports = said("freespace", ["/:0:0", "/:100.5%", "/:9999T", "/dev:0:101%", "/etc/apt:1"])
    assert [line[:4] for line in reports] == ["well", "sick", "sick", "sick", "sick"]
    assert "wanted are 10238976.0 GiB" in reports[2]
    assert " inodes free of " in reports[3]
    assert reports[4] == "sick /etc/apt: is not a mount point"


def test_load() -> None:
    load, memory = look("loadavg", ["999", "999", "999", "100"])
    assert (load.is_ok, memory.is_ok) == (True, True)
    assert load.text.endswith("limits 999 999 999")
    assert status_of(look("loadavg", ["999", "999", "999", "0.1"])) == 1
    assert memory.text.endswith("limit 100 %")


@pytest.mark.parametrize(
    ("monitor", "words", "sentence"),
    [
        ("process", [], "it wants names of programs"),
        ("process", ["x:3-2"], "at least 3 and at most 2"),
        ("process", ["--source", "::1", "x"], "--source is no option of it"),
        ("file", [], "it wants files"),
        ("file", ["--max-age", "1y", "/x"], "'1y' is no time: right would be 90s, 10m, 1.5h or 2d"),
        ("file", ["--max-size", "1B", "/x"], "'1B' is no size"),
        ("freespace", [], "it wants file systems"),
        ("freespace", ["/var"], "is not PATH:FREE[:INODES]"),
        ("freespace", ["var:5%"], "is not PATH:FREE[:INODES]"),
        ("freespace", ["/var:much"], "'much' is no size"),
        ("loadavg", ["1", "2"], "is not ONE FIVE FIFTEEN [PERCENT]"),
        ("loadavg", ["1", "2", "3", "host"], "(;; keeps hosts away)"),
    ],
)
def test_wrong_words(monitor: str, words: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        look(monitor, words)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"{monitor}.monitor: ")


def test_what_hangs_in_the_kernel_hangs_no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bpvs.mon.monitors.aside._PATIENCE", 0.1)
    release = threading.Event()

    async def checks() -> list[str]:
        texts = []
        for _ in range(2):
            try:
                async with asyncio.timeout(0.4):
                    await aside("disk", lambda: release.wait(30))
            except (TimeoutError, Sick) as error:
                texts.append(str(error))
        assert await aside("another disk", lambda: 7) == 7
        release.set()
        return texts

    assert asyncio.run(checks()) == ["", "an earlier check of it hangs in the kernel for 0 s"]
    until(lambda: asyncio.run(_look_at_the_disk()) == "there", "the disk is back")


async def _look_at_the_disk() -> str:
    try:
        return await aside("disk", lambda: "there")
    except Sick as error:
        return str(error)


def test_checks_of_the_same_thing_at_the_same_time() -> None:
    async def checks() -> list[int]:
        meeting = threading.Barrier(3)
        return await asyncio.gather(*(aside("disk of all", lambda: meeting.wait(30)) for _ in range(3)))

    assert sorted(asyncio.run(checks())) == [0, 1, 2]
