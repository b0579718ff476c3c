# SPDX-License-Identifier: GPL-2.0-or-later
"""Twenty forms of dependency over one outage, with the results that mon 1.3.6 saw: alerts, starts and hosts."""

from __future__ import annotations

import re
from functools import cache

import pytest

from bpvs.model.mon import Key
from bpvs.mon.core.values import CallAlert, StartMonitor
from tests.unit.mon.core.replay import GOLDEN
from tests.unit.mon.core.stage import Stage

FOLDER = GOLDEN / "08_dependencies"
ROOT, ROOTMEM, OTHER = Key("ROOT", "ping"), Key("ROOTMEM", "ping"), Key("OTHER", "ok")
ROOT_FAILS, GROUP_FAILS, ROOT_RECOVERS, GROUP_RECOVERS = 7.35, 10.05, 22.85, 29.62
NOTICED = 1.05  # seconds from the start of a run until mon 1.3.6 looks at its result
TICK = 1.0  # seconds; when mon 1.3.6 notices anything
PERL = "s19_perl"  # its expression is a Perl program, which is an error here
# What we call where mon 1.3.6 is at fault.
DIFFERENCES = {
    "s02_alertdepend": ["23.1 failure", "26.4 failure", "30.4 failure", "34.6 up"],  # it is in force
    "s08_list_syntax": ["23.1 failure", "26.4 failure", "30.5 failure", "34.6 up"],  # side by side means and
    "s15_mem": [],  # dep_memory is in force: 30 s after ROOT recovered all is well again
    "s16_mem_via_root": [],
    "s21_alertdep_then_monitordep": ["23.1 failure", "26.1 failure", "29.5 failure", "33.6 up"],  # each for itself
}


def recorded() -> dict[str, tuple[list[float], list[str]]]:
    """By service: the seconds of its runs, and its alerts as `second kind`."""
    services = {}
    for block in (FOLDER / "timeline.txt").read_text().split("===== ")[1:]:
        title, runs, alerts = block.splitlines()
        seconds = [float(second) for second in re.findall(r"(?:^| )(\d+\.\d)", runs)]
        services[title.split()[0]] = (seconds, re.sub(r"(\d)([a-z])", r"\1 \2", alerts).split("alerts:")[1].split())
    return {
        name: (runs, [" ".join(pair) for pair in zip(words[::2], words[1::2], strict=True)])
        for name, (runs, words) in services.items()
    }


RECORDED = recorded()
SERVICES = [name for name in RECORDED if name != PERL]


@cache
def replayed() -> Stage:
    """The whole run in one engine."""
    text = (FOLDER / "mon.cf").read_text().replace("depend OTHER:ok && (time > 5)", "depend OTHER:ok")
    stage = Stage(text)
    results = [
        (2.0, ROOT, 0),
        (2.0, ROOTMEM, 0),
        (2.0, OTHER, 0),
        (ROOT_FAILS, ROOT, 1),
        (ROOT_FAILS, ROOTMEM, 1),
        (ROOT_RECOVERS, ROOT, 0),
        (ROOT_RECOVERS, ROOTMEM, 0),
    ]
    events: list[tuple[float, Key, int | None]] = [*results]
    for name in SERVICES:
        for run in RECORDED[name][0]:
            status = int(GROUP_FAILS <= run < GROUP_RECOVERS)
            events += [(run, Key("G", name), None), (run + NOTICED, Key("G", name), status)]
    for second, key, what in sorted(events, key=lambda one: one[0]):
        stage.sleep(second - stage.seconds)
        if what is None:
            stage.run(key)
        else:
            stage.result(key, what, "h1\n" if key.group != "G" else "h1 h2\n")
    return stage


@pytest.mark.parametrize("name", SERVICES)
def test_the_same_alerts(name: str) -> None:
    made = [
        (second, one.kind.value)
        for second, one in replayed().effects
        if isinstance(one, CallAlert) and one.key == Key("G", name)
    ]
    expected = [one.split() for one in DIFFERENCES.get(name, RECORDED[name][1])]
    assert [kind for _, kind in made] == [kind for _, kind in expected]
    assert [second for second, _ in made] == pytest.approx([float(second) for second, _ in expected], abs=TICK)


@pytest.mark.parametrize("name", ["s03_monitordepend", "s04_depend_m"])
def test_a_held_monitor_does_not_start(name: str) -> None:
    starts = [
        second for second, one in replayed().effects if isinstance(one, StartMonitor) and one.key == Key("G", name)
    ]
    assert not [second for second in starts if ROOT_FAILS < second < ROOT_RECOVERS]
    assert [second for second in starts if ROOT_RECOVERS <= second < ROOT_RECOVERS + 1.1]


@pytest.mark.parametrize("name", ["s05_hostdepend", "s06_depend_hm"])
def test_hosts_that_another_service_names_are_spared(name: str) -> None:
    tested = {
        (ROOT_FAILS < second < ROOT_RECOVERS, one.hosts)
        for second, one in replayed().effects
        if isinstance(one, StartMonitor) and one.key == Key("G", name)
    }
    assert tested == {(True, ("h10", "h2")), (False, ("h1", "h10", "h2"))}
