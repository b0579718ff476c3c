# SPDX-License-Identifier: GPL-2.0-or-later
"""mon-monitors(7) tells of every built-in monitor and of every option."""

from __future__ import annotations

import dataclasses
import re
from importlib import import_module
from pathlib import Path

import pytest

from bpvs.mon.monitors.options import Common
from bpvs.mon.monitors.registry import MONITORS, find

PAGE = (Path(__file__).resolve().parents[3] / "man/mon-monitors.7").read_text()


def spellings(module: str) -> set[str]:
    """The names of all options of a monitor's module."""
    kinds = [
        kind for kind in vars(import_module(module)).values() if isinstance(kind, type) and issubclass(kind, Common)
    ]
    return {name for kind in kinds for entry in dataclasses.fields(kind) for name in entry.metadata["spelling"].names}


@pytest.mark.parametrize("monitor", MONITORS)
def test_every_monitor_is_there_and_described(monitor: str) -> None:
    assert find(monitor)
    assert re.search(rf"^\.Ss (.* , )?{re.escape(monitor)}( ,|$)", PAGE, re.MULTILINE)


@pytest.mark.parametrize("module", sorted({place.partition(":")[0] for place in MONITORS.values()}))
def test_every_option_is_described(module: str) -> None:
    described = {name.replace("\\-", "-") for name in re.findall(r"Fl (\S+)", PAGE)}
    described |= {name for line in re.findall(r"^\.It (Fl .*)$", PAGE, re.MULTILINE) for name in _several(line)}
    assert {name.removeprefix("-") for name in spellings(module)} <= described


def _several(line: str) -> list[str]:
    return [name.replace("\\-", "-") for name in re.findall(r"(?:Fl|,) (\S+)", line)]
