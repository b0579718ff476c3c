# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's mon and BPVS's beside each other: the same configuration, the same events, the same calls of alerts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mon.oracle.accepted import ACCEPTED, may_call_otherwise
from tests.mon.oracle.facts import differences
from tests.mon.oracle.scenarios import ACTS
from tests.mon.oracle.side import OURS, REAL
from tests.mon.oracle.stage import Stage

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("act", ACTS)
def test_bpvs_does_as_mon_does(act: str, tmp_path: Path) -> None:
    scenarios = ACTS[act]
    stage = Stage(tmp_path, scenarios, [one.name for one in scenarios if not may_call_otherwise(one.name)])
    stage.play()
    found = [one for name, told in stage.played.items() for one in differences(name, told[REAL], told[OURS])]
    unexpected = [str(one) for one in found if not any(entry.covers(one) for entry in ACCEPTED)]
    assert not unexpected, "\n".join(unexpected)
    expected = [entry for entry in ACCEPTED if any(entry.concerns(one.name) for one in scenarios)]
    unseen = [entry for entry in expected if not any(map(entry.covers, found))]
    assert not unseen, f"accepted, but no longer so: {unseen}"
