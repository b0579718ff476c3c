# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/reference/settings.md has the settings of the model, with their defaults, ranges and meanings."""

from __future__ import annotations

from pathlib import Path

from bpvs.model.sysctls import FIXED_SYSCTLS, SYSCTLS

PAGE = (Path(__file__).parents[3] / "docs/reference/settings.md").read_text()


def test_every_setting_is_explained() -> None:
    rows = (f"| `vs.{one.name}` | {one.default} | {one.highest} | {one.meaning} |\n" for one in SYSCTLS.values())
    assert "| Setting | Default | Highest | What it does |\n|---|---|---|---|\n" + "".join(rows) + "\n" in PAGE


def test_every_setting_with_one_value_has_its_reason() -> None:
    rows = (
        f"| `vs.{one.name}` | {'none' if one.value is None else one.value} | {one.reason} |\n"
        for one in FIXED_SYSCTLS.values()
    )
    assert PAGE.endswith("| Setting | Value | Reason |\n|---|---|---|\n" + "".join(rows))
