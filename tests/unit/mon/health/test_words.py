# SPDX-License-Identifier: GPL-2.0-or-later
"""Times and results in words."""

from __future__ import annotations

import pytest

from bpvs.mon.health.words import age, moment, result
from tests.unit.mon.core.stage import EPOCH


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (86400 * 3, "3 d")],
)
def test_ages(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_moments() -> None:
    assert moment(EPOCH, EPOCH + 5) == "20:00:00 (5 s ago)"
    assert moment(EPOCH, EPOCH - 90) == "20:00:00 (in 1 min)"
    assert moment(EPOCH, EPOCH + 200_000) == "2026-11-22 20:00:00 (2 d ago)"


@pytest.mark.parametrize(
    ("status", "summary", "detail", "text"),
    [
        ("fail", "b a", "\nHOST a: refused\nHOST b: 500\n", "refused"),
        ("fail", "a", "a: timed out\n", "timed out"),
        ("fail", "a", "HOST a2: refused\n", "a"),
        ("fail", None, None, "no word"),
        ("ok", None, None, "well"),
        ("untested", None, None, "not checked yet"),
    ],
)
def test_results(status: str, summary: str | None, detail: str | None, text: str) -> None:
    assert result({"status": status, "summary": summary, "detail": detail}, "a") == text
