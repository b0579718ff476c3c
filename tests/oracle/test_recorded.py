# SPDX-License-Identifier: GPL-2.0-or-later
"""Every scenario on BPVS, held against what the kernel's IPVS answered when `make oracle` ran last."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.oracle import recordings
from tests.oracle.compare import OURS, REAL
from tests.oracle.player import perform
from tests.oracle.scenarios import SCENARIOS, Scenario
from tests.oracle.side import Bpvs
from tests.oracle.stage import Stage
from tests.oracle.theatre import judge

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]

RECORDED = [scenario for scenario in SCENARIOS.values() if recordings.file_of(scenario.name).exists()]


@pytest.fixture(scope="module")
def one_cpu() -> Iterator[None]:
    """What a stage needs to know when a packet has been dealt with."""
    cpus = os.sched_getaffinity(0)
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    os.sched_setaffinity(0, {sorted(cpus)[worker % len(cpus)]})
    yield
    os.sched_setaffinity(0, cpus)


@pytest.fixture(scope="module")
def shared(one_cpu: None) -> Iterator[Stage]:
    with Stage(is_bpvs=True) as stage:
        yield stage


@pytest.mark.parametrize("scenario", RECORDED, ids=lambda scenario: scenario.name)
def test_bpvs_answers_as_ipvs_did(shared: Stage, scenario: Scenario) -> None:
    recording = recordings.load(scenario.name)
    if scenario.alone:
        with Stage(is_bpvs=True) as own:
            lines = perform(scenario, recording.number, Bpvs(), own)
    else:
        lines = perform(scenario, recording.number, Bpvs(), shared)
    difference = judge({REAL: {scenario.name: recording.lines}, OURS: {scenario.name: lines}}, scenario.name)
    assert not difference, difference


def test_every_recording_is_of_a_scenario() -> None:
    names = {recordings.file_of(scenario.name).name for scenario in SCENARIOS.values()}
    assert {path.name for path in recordings.FOLDER.glob("*.out")} <= names
