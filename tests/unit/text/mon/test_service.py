# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines below a service: the value of each keyword, and what is odd or wrong."""

from __future__ import annotations

import pytest

from bpvs.model.mon import AlertLine, Behaviour, Calendar, ExitRange, Service
from bpvs.text.mon.config import parse
from bpvs.text.mon.errors import ConfigError


def service(*lines: str) -> Service:
    text = "\n".join(("hostgroup G a", "", "watch G", "service s", *lines))
    [only] = parse(text).services.values()
    return only


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("interval 1.5m", "interval", 90),
        ("failure_interval 10s", "failure_interval", 10),
        ("randskew 3s", "randskew", 3),
        ("timeout 20s", "timeout", 20),
        ("traptimeout 5m", "trap_timeout", 300),
        ("trapduration 1h", "trap_duration", 3600),
        ('description  Web "main"  farm ', "description", 'Web "main"  farm'),
        ("description", "description", ""),
        ("allow_empty_group", "allow_empty_group", True),
        ("dep_behavior hm", "depend_behaviour", Behaviour.HOSTS),
        ("dep_memory 5m", "depend_memory", 300),
        ("exclude_hosts a  b", "exclude_hosts", ("a", "b")),
        ("exclude_hosts", "exclude_hosts", ()),
        ("exclude_period wd {Sun}", "exclude_period", Calendar("wd {Sun}", ({"wd": frozenset({1})},))),
        ("redistribute r.alert -x 'y z'", "redistribute", AlertLine("r.alert", ("-x", "y z"))),
        ("redistribute exit=2 r.alert", "redistribute", AlertLine("r.alert", (), ExitRange(2, 2))),
        ("unack_summary", "unack_summary", True),
        ("unack_summary no", "unack_summary", False),
    ],
)
def test_values(line: str, field: str, value: object) -> None:
    assert getattr(service(line), field) == value


def test_of_two_lines_the_last_counts() -> None:
    assert service("interval 5s", "interval 7s").interval == 7


@pytest.mark.parametrize(
    ("text", "words", "appends"),
    [
        ("m.monitor", ("m.monitor",), True),
        ('m.monitor -u "/a b" -p 80', ("m.monitor", "-u", "/a b", "-p", "80"), True),
        ("m.monitor one ;;", ("m.monitor", "one"), False),
        ("m.monitor one;;", ("m.monitor", "one"), False),
        ("m.monitor one \\;", ("m.monitor", "one", ";"), True),
    ],
)
def test_monitor(text: str, words: tuple[str, ...], appends: bool) -> None:
    read = service("interval 5s", f"monitor {text}")
    assert (read.monitor, read.monitor_text, read.appends_hosts) == (words, text, appends)


def test_environment_anywhere_below_the_service() -> None:
    read = service("A=x", 'B= some "quoted" text', "_C1=", "A=last", "period", "D=late", "alert a")
    assert read.environment == (("A", "last"), ("B", ' some "quoted" text'), ("_C1", ""), ("D", "late"))


def test_dependencies() -> None:
    read = service("depend SELF:t && DNS:dig", "alertdepend A:a", "monitordepend B:b", "hostdepend C:c D:d")
    assert read.depend
    assert read.depend.text == "SELF:t && DNS:dig"
    assert read.depend.atoms() == (("G", "t"), ("DNS", "dig"))
    assert [one.atoms() for one in (read.alert_depend, read.monitor_depend, read.host_depend) if one] == [
        (("A", "a"),),
        (("B", "b"),),
        (("C", "c"), ("D", "d")),
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("monitor", "monitor: it names no program: write the monitor's name and its arguments"),
        ("monitor ;;", "monitor: it names no program"),
        ("monitor '' x", "monitor: it names no program"),
        ('monitor un"balanced', 'monitor: the quote " is not closed'),
        ("randskew 0s", "randskew: '0s' is no time at all"),
        ("timeout 5", "timeout: '5' is no time: write 5s, 2m, 1.5h or 1d"),
        ("dep_behavior x", "dep_behavior: 'x' is unknown: write one of a, m, hm"),
        ("depend a", "depend: 'a' is no part of a dependency"),
        ("exclude_period hr {24}", "exclude_period: '24' is not in 0-23"),
        ("redistribute", "redistribute: it names no script"),
    ],
)
def test_what_is_wrong(line: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        service(line)
    assert str(caught.value).startswith(f"mon.cf:5: {says}")


@pytest.mark.parametrize(
    ("line", "notice"),
    [
        ("allow_empty_group no", "allow_empty_group: it is on whatever its value, and so with 'no'"),
        ("unack_summary maybe", "unack_summary: 'maybe' is neither yes nor no and counts as no"),
    ],
)
def test_what_is_odd(line: str, notice: str) -> None:
    config = parse(f"hostgroup G a\n\nwatch G\nservice s\n{line}\n")
    assert config.notices == (f"mon.cf:5: {notice}",)
