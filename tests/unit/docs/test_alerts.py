# SPDX-License-Identifier: GPL-2.0-or-later
"""mon-alerts(7) tells of every built-in alert, of every option, and of every field of the webhook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bpvs.model.mon import AlertKind, Key
from bpvs.mon.alerts.calling import Calling
from bpvs.mon.alerts.registry import ALERTS
from bpvs.mon.alerts.webhook import document

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "man/mon-alerts.7").read_text()


def section(name: str) -> str:
    return PAGE.partition(f"\n.Ss {name}")[2].partition("\n.Ss ")[0].partition("\n.Sh ")[0]


def options(name: str) -> set[str]:
    path = "src/bpvs/mon/lvs/choice.py" if name == "lvs.alert" else f"src/bpvs/mon/alerts/{name.partition('.')[0]}.py"
    return set(re.findall(r'add_argument\("-+([\w-]+)"', (ROOT / path).read_text()))


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_is_told_of_with_all_its_options(name: str) -> None:
    said = section(name)
    assert said
    told = {word.removeprefix("\\-") for word in re.findall(r"Fl ((?:\\-)?[\w-]+)", said)}
    assert told >= options(name)
    assert {word for word in told if len(word) > 1} <= options(name)


def test_every_field_of_the_webhook_is_told_of() -> None:
    calling = Calling(Key("g", "s"), AlertKind.UP, (), 0, (), "", "")
    fields = re.findall(r"^\.It Li (.*)$", section("webhook.alert"), re.MULTILINE)
    assert [name for words in fields for name in words.split(" , ")] == list(document(calling, ""))
