# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bpvs.mon.disk import Disk


class Desk:
    """A Disk whose log can be read."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.disk = Disk(lambda level, text: self.lines.append((level, text)))


def test_files_are_replaced_and_appended_to_in_order(tmp_path: Path) -> None:
    async def work() -> None:
        desk = Desk()
        for number in range(100):
            desk.disk.append(tmp_path / "log", f"{number}\n")
            desk.disk.replace(tmp_path / "state", b"%d" % number)
        await desk.disk.close()
        assert desk.lines == []

    asyncio.run(work())
    assert (tmp_path / "log").read_text().split() == [str(number) for number in range(100)]
    assert (tmp_path / "state").read_bytes() == b"99"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "state"]


def test_what_cannot_be_written_is_told_once_until_it_can(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "state"

    async def work() -> Desk:
        desk = Desk()
        for _ in range(3):
            with pytest.raises(OSError, match="No such file"):
                await desk.disk.replace(path, b"1")
        path.parent.mkdir()
        for _ in range(2):
            await desk.disk.replace(path, b"2")
        await desk.disk.close()
        return desk

    assert asyncio.run(work()).lines == [
        ("err", f"{path}: cannot be written: No such file or directory"),
        ("notice", f"{path}: is written again"),
    ]
    assert path.read_bytes() == b"2"


def test_a_failed_replacement_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.mkdir()  # a file cannot take the name of a directory

    async def work() -> None:
        desk = Desk()
        with pytest.raises(OSError, match="directory"):
            await desk.disk.replace(path, b"1")
        await desk.disk.close()

    asyncio.run(work())
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_hangs_is_not_given_ever_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bpvs.mon.disk._MOST_WAITING", 3)

    async def work() -> None:
        desk = Desk()
        futures = [desk.disk.append(tmp_path / "log", "x") for _ in range(5)]
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert [type(result) for result in results] == [type(None)] * 3 + [OSError] * 2
        await desk.disk.append(tmp_path / "log", "y")
        await desk.disk.close()

    asyncio.run(work())
    assert (tmp_path / "log").read_text() == "xxxy"
