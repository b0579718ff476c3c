# SPDX-License-Identifier: GPL-2.0-or-later
"""What is odd about a configuration as a whole."""

from __future__ import annotations

import pytest

from bpvs.text.mon.config import parse

RUNS = "interval 5s\nmonitor m"


@pytest.mark.parametrize(
    ("text", "notices"),
    [
        ("hostgroup G a\n", ["1: hostgroup G has no watch, so nothing tests its hosts"]),
        ("hostgroup G a\n\nwatch G\n", ["3: watch G has no service, so nothing is tested"]),
        (f"watch G\nservice s\n{RUNS}\n", ["1: there is no hostgroup G, so the watch is of one host with that name"]),
        (f"watch G\nservice s\n{RUNS}\n\nhostgroup G a\n", ["1: watch G stands above its hostgroup"]),
        (
            "hostgroup G a\n\nwatch G\nservice s\nmonitor m\n",
            ["4: G:s has a monitor but no interval, so it is never run by itself"],
        ),
        (
            "hostgroup G a\n\nwatch G\nservice s\ninterval 5s\n",
            ["4: G:s has an interval but no monitor, so there is nothing to run"],
        ),
        (
            f"hostgroup G a\n\nwatch G\nservice s\n{RUNS}\n\nview V G G:s\n H G:t\n",
            [f"8: view V names {name}, which is neither a group nor group:service" for name in ("H", "G:t")],
        ),
    ],
)
def test_groups_and_services(text: str, notices: list[str]) -> None:
    assert list(parse(text).notices) == [f"mon.cf:{notice}" for notice in notices]


def dependent(*dependencies: str) -> list[str]:
    """The notices of services s0, s1, ... of a watch G, each with the lines given, the first in line 5."""
    services = "".join(f"service s{number}\n{line}\n" for number, line in enumerate(dependencies))
    return [notice.removeprefix("mon.cf:") for notice in parse(f"hostgroup G a\n\nwatch G\n{services}").notices]


@pytest.mark.parametrize(
    ("dependencies", "notices"),
    [
        (["depend G:s1 && SELF:s1", "description x"], []),
        (["depend NOPE:x || SELF:y"], [f"5: depend names {name}, which no watch has; it counts as down" for name in
                                       ("NOPE:x", "G:y")]),
        (["hostdepend NOPE:x"], ["5: hostdepend names NOPE:x, which no watch has; it counts as down"]),
        (["monitordepend SELF:s0"], ["5: G:s0 depends on itself"]),
        (["depend SELF:s0\nmonitordepend SELF:s0"], ["5: G:s0 depends on itself", "6: G:s0 depends on itself"]),
        (["depend SELF:s1", "alertdepend SELF:s0"], ["4: G:s0 and G:s1 depend on each other in a circle"]),
        (["depend SELF:s1", "depend SELF:s0\ndep_behavior m"], []),
        (["hostdepend SELF:s1", "hostdepend SELF:s0"], []),
    ],
)  # fmt: skip
def test_dependencies(dependencies: list[str], notices: list[str]) -> None:
    assert dependent(*dependencies) == notices


def test_a_long_chain_is_no_circle() -> None:
    chain = [f"depend SELF:s{number + 1}" for number in range(3000)]
    assert dependent(*chain, "description end") == []
