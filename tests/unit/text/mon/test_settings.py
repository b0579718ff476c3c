# SPDX-License-Identifier: GPL-2.0-or-later
"""The settings of a file: the value of each, and what is odd or wrong."""

from __future__ import annotations

from dataclasses import fields

import pytest

from bpvs.model.mon import Calendar, Settings
from bpvs.text.mon.config import parse
from bpvs.text.mon.errors import ConfigError
from bpvs.text.mon.settings import SETTINGS, client_pattern


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("alertdir = /a:/b s", "alertdir", "/a:/b s"),
        ('mondir="/x y"', "mondir", '"/x y"'),
        ("pidfile =", "pidfile", ""),
        ("maxprocs=20", "maxprocs", 20),
        ("authtype = pam  userfile", "authtype", ("pam", "userfile")),
        ("serverport = 0", "serverport", 0),
        ("trapport = 2583", "trapport", 2583),
        ("clientallow = 127.* 10.0.0.[12]", "clientallow", ("127.*", "10.0.0.[12]")),
        ("historictime = 0s", "historictime", 0),
        ("randstart = 1m", "randstart", 60),
        ("cltimeout = 30s", "cltimeout", 30),
        ("dtlogging = yes", "dtlogging", True),
        ("dtlogging = on", "dtlogging", True),
        ("dtlogging = 0", "dtlogging", False),
        ("startupalerts_on_reset = true", "startupalerts_on_reset", True),
        ("dep_recur_limit = 3", "dep_recur_limit", 3),
        ("exclude_period = wd {Mon}", "exclude_period", Calendar("wd {Mon}", ({"wd": frozenset({2})},))),
        ("syslog_facility = local0", "syslog_facility", "local0"),
        ("monitor_timeout = 2m", "monitor_timeout", 120),
        ("alert_timeout = 10s", "alert_timeout", 10),
    ],
)
def test_values(line: str, field: str, value: object) -> None:
    assert getattr(parse(line).settings, field) == value


def test_every_setting_has_its_keyword() -> None:
    assert {keyword.field for keyword in SETTINGS.values()} == {field.name for field in fields(Settings)}


def test_nothing_is_set_by_itself() -> None:
    assert parse("").settings == Settings()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("maxprocs = many", "maxprocs: 'many' is no number: write digits, as 20"),
        ("serverport = 70000", "serverport: '70000' is no port: ports end at 65535"),
        ("randstart = 60", "randstart: '60' is no time"),
        ("cltimeout = 0s", "cltimeout: '0s' is no time at all"),
        ("dep_memory = 5", "dep_memory: '5' is no time"),
        ("dep_behavior = x", "dep_behavior: 'x' is unknown: write one of a, m, hm"),
        ("unack_summary =", "unack_summary: it wants a value"),
        ("clientallow = 10.0.0.[12", "clientallow: '10.0.0.[12' is no pattern"),
        ("syslog_facility = nine", "syslog_facility: 'nine' is unknown: write one of auth, authpriv"),
        ("exclude_period = bogus", "exclude_period: 'bogus' is no time of the week"),
    ],
)
def test_what_is_wrong(line: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(line)
    assert str(caught.value).startswith(f"mon.cf:1: {says}")


@pytest.mark.parametrize(
    ("line", "notice"),
    [
        ("dtlogging = perhaps", "mon.cf:1: dtlogging: 'perhaps' is neither yes nor no and counts as no"),
        ("authtype = pam bogus", "mon.cf:1: authtype: nobody is let in by bogus; known are getpwnam, shadow, userfile"),
        (
            "dtlogfile = x.log",
            "mon.cf:1: dtlogfile alone starts no downtime log; write dtlogging = yes too to have one",
        ),
    ],
)
def test_what_is_odd(line: str, notice: str) -> None:
    [said] = parse(line).notices
    assert said.startswith(notice)


@pytest.mark.parametrize(
    ("pattern", "address", "fits"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127x0.0.1", False),
        ("10.*", "10.1.2.3", True),
        ("10.*", "100.1.2.3", False),
        ("10.*.3", "10.1.2.3", True),
        (r"127\.0\.0\.\d+", "127.0.0.77", True),
        ("127.0.0.[12]", "127.0.0.2", True),
        ("127.0.0.(1|2)", "127.0.0.3", False),
        ("127.0.0", "127.0.0.1", False),
    ],
)
def test_client_patterns(pattern: str, address: str, fits: bool) -> None:
    assert (client_pattern(pattern).fullmatch(address) is not None) is fits
