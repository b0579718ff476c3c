# SPDX-License-Identifier: GPL-2.0-or-later
"""What IPVS answered in each scenario, kept in files: BPVS is held against it without a virtual machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden/oracle"
_HEAD = "number "


@dataclass(frozen=True, slots=True)
class Recording:
    """A transcript, and the scenario's number then, which is in its addresses."""

    number: int
    lines: list[str]


def file_of(scenario: str) -> Path:
    return FOLDER / f"{scenario.replace(' ', '_')}.out"


def save(scenario: str, recording: Recording) -> None:
    """Replaces the file."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line}\n" for line in (f"{_HEAD}{recording.number}", *recording.lines))
    file_of(scenario).write_text(text, errors="surrogateescape")


def load(scenario: str) -> Recording:
    """FileNotFoundError if the scenario was not recorded yet."""
    return _read(file_of(scenario))


def numbers() -> dict[str, int]:
    """Those of all recordings, by name of the file."""
    return {path.name: _read(path).number for path in FOLDER.glob("*.out")}


def _read(path: Path) -> Recording:
    first, *lines = path.read_text(errors="surrogateescape").split("\n")[:-1]
    return Recording(int(first.removeprefix(_HEAD)), lines)
