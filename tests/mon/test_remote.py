# SPDX-License-Identifier: GPL-2.0-or-later
"""monremote: a program learns what clients change, word by word and by no shell."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bpvs.mon.remote import Remote


def told(tmp_path: Path, command: str, *calls: list[str]) -> list[tuple[str, str]]:
    """Tells the program of these calls; the log."""
    logs: list[tuple[str, str]] = []

    async def run() -> None:
        remote = Remote(command, lambda level, text: logs.append((level, text)))
        for words in calls:
            remote.tell(words)
        async with asyncio.timeout(60):
            await remote.finish()

    asyncio.run(run())
    return logs


def program(folder: Path, lines: str) -> Path:
    path = folder / "remote"
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return path


def test_words_are_arguments_in_order(tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = program(tmp_path, f"""for word in "$@"; do printf '<%s>' "$word"; done >>{out}; echo >>{out}""")
    touched = tmp_path / "touched"
    calls = [
        ["disable", "host", "h1"],
        ["enable", "host", f"x;touch {touched}"],
        ["test", "$(id)", "`id`"],
    ]
    assert told(tmp_path, f"{path} -n 'own argument'", *calls) == []
    assert out.read_text().splitlines() == [
        "<-n><own argument><disable><host><h1>",
        f"<-n><own argument><enable><host><x;touch {touched}>",
        "<-n><own argument><test><$(id)><`id`>",
    ]
    assert not touched.exists()


def test_a_failure_is_told(tmp_path: Path) -> None:
    path = program(tmp_path, "exit 3")
    assert told(tmp_path, str(path), ["disable", "watch", "g"]) == [
        ("err", f"monremote: {path} disable watch g: exit status 3")
    ]


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    ((level, text),) = told(tmp_path, str(tmp_path / "nothing"), ["disable", "watch", "g"])
    assert level == "err"
    assert text.startswith("monremote: ")
    assert str(tmp_path / "nothing") in text


def test_a_crowd_of_calls_is_bounded(tmp_path: Path) -> None:
    path = program(tmp_path, "exit 0")
    remote_calls = [["enable", "host", str(number)] for number in range(1005)]
    logs: list[tuple[str, str]] = []

    async def run() -> None:
        remote = Remote(str(path), lambda level, text: logs.append((level, text)))
        for words in remote_calls:
            remote.tell(words)

    asyncio.run(run())
    assert len(logs) == 5
    assert logs[0] == ("err", "monremote: 1000 calls are waiting, this one is left out: enable host 1000")
