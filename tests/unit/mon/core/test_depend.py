# SPDX-License-Identifier: GPL-2.0-or-later
"""Dependencies beyond what was recorded: memory, circles, chains, precedence, starts on recovery."""

from __future__ import annotations

import pytest

from bpvs.model.mon import Key
from tests.unit.mon.core.stage import Stage

ROOT, MIDDLE, LEAF = Key("net", "root"), Key("net", "middle"), Key("net", "leaf")


def net(leaf: str, *, middle: str = "", root: str = "", settings: str = "") -> str:
    """Three services; the leaf alerts at every failure."""
    return (
        "\n".join(
            line
            for line in [
                *settings.splitlines(),
                "hostgroup net a b",
                "#",
                *service("root", root),
                *service("middle", middle),
                *service("leaf", leaf),
                "period",
                "alert a.alert",
                "upalert a.alert",
            ]
        ).replace("#", "\nwatch net")
        + "\n"
    )


def service(name: str, lines: str) -> list[str]:
    return [f"service {name}", "interval 5s", "monitor x.monitor", *lines.splitlines()]


def alerts_while(leaf: str, *, root: int, middle: int = 0, middle_line: str = "") -> int:
    """How many alerts a failing leaf sends while the others are so."""
    stage = Stage(net(leaf, middle=middle_line))
    stage.result(MIDDLE, middle)
    stage.result(ROOT, root)
    stage.result(LEAF, 1)
    return len(stage.calls())


@pytest.mark.parametrize(
    ("leaf", "root", "middle", "alerts"),
    [
        ("depend SELF:root", 1, 0, 0),
        ("depend SELF:root", 0, 0, 1),
        ("depend net:nowhere", 0, 0, 0),
        ("depend ! net:nowhere", 0, 0, 1),
        ("depend net:root || net:middle", 1, 0, 1),
        ("depend net:root net:middle", 1, 0, 0),
        ("alertdepend net:root", 1, 0, 0),
        ("alertdepend net:root", 0, 0, 1),
        ("depend net:root\nalertdepend net:middle", 0, 1, 1),
        ("depend net:root\nalertdepend net:middle", 1, 0, 0),
        ("depend net:root\ndep_behavior m\nalertdepend net:middle", 0, 1, 0),
    ],
)
def test_alerts_that_a_dependency_lets_through(leaf: str, root: int, middle: int, alerts: int) -> None:
    assert alerts_while(leaf, root=root, middle=middle) == alerts


def test_a_chain_is_followed_where_the_behaviour_is_the_same() -> None:
    assert alerts_while("depend net:middle", root=1, middle_line="depend net:root") == 0
    assert alerts_while("depend net:middle", root=1, middle_line="monitordepend net:root") == 1


def test_a_circle_is_logged_and_silences() -> None:
    stage = Stage(net("depend net:middle", middle="depend net:leaf"))
    stage.result(LEAF, 1)
    assert stage.calls() == []
    (line,) = stage.logs("err")
    assert line.startswith("no alerts for net/leaf: the dependencies of net:leaf lead in a circle")
    assert stage.engine.states[LEAF].depend_status is None


def test_no_deeper_than_the_limit() -> None:
    text = net("depend net:middle", middle="depend net:root", settings="dep_recur_limit = 1")
    stage = Stage(text)
    stage.result(LEAF, 1)
    assert stage.calls() == []
    assert "deeper than 1" in stage.logs("err")[0]


def test_memory_holds_alerts_back_for_a_while() -> None:
    stage = Stage(net("depend net:root\ndep_memory 30s"))
    stage.result(ROOT, 1)
    stage.result(LEAF, 1)
    stage.result(ROOT, 0)
    stage.sleep(29)
    stage.result(LEAF, 1)
    assert stage.calls() == []
    stage.sleep(2)
    stage.result(LEAF, 1)
    assert len(stage.calls()) == 1


def test_memory_is_no_matter_of_the_wall_clock() -> None:
    stage = Stage(net("depend net:root", root="dep_memory 30s"))
    stage.result(ROOT, 1)
    stage.result(ROOT, 0)
    stage.step_wall_clock(3600)
    stage.result(LEAF, 1)
    assert stage.calls() == []


@pytest.mark.parametrize("memory", [0, 7])
def test_a_held_monitor_starts_as_soon_as_it_may(memory: int) -> None:
    stage = Stage(net("monitordepend net:root", root=f"dep_memory {memory}s" if memory else ""))
    stage.result(ROOT, 1)
    stage.tick_until(20)
    assert not stage.engine.states[LEAF].is_running
    assert stage.engine.why_not_started(LEAF, stage.now) == "a service that it depends on fails"
    assert stage.engine.timer(LEAF, stage.now) == 0
    stage.result(ROOT, 0)
    if memory:
        assert LEAF not in [one.key for one in stage.tick_until(26)]
    started = stage.tick_until(20 + memory)
    assert LEAF in [one.key for one in started]
    assert next(one for one in started if one.key == LEAF).environment["MON_DEPEND_STATUS"] == "1"


def test_a_held_monitor_costs_nothing_while_nothing_changes() -> None:
    stage = Stage(net("monitordepend net:root\ninterval 1h", root="interval 1h", middle="interval 1h"))
    stage.result(ROOT, 1)
    stage.engine.test_monitor(LEAF, stage.now)
    assert stage.tick() == []
    due = stage.engine.next_due()
    assert due is not None
    assert due > stage.now.clock + 60


def test_all_hosts_spared_leaves_nothing_to_test() -> None:
    stage = Stage(net("hostdepend net:root net:middle"))
    stage.result(ROOT, 1, "a")
    stage.result(MIDDLE, 1, "b")
    stage.engine.test_monitor(LEAF, stage.now)
    assert stage.tick() == []
    stage.result(MIDDLE, 0, "b")
    stage.engine.test_monitor(LEAF, stage.now)
    (start,) = stage.tick()
    assert start.hosts == ("b",)
