# SPDX-License-Identifier: GPL-2.0-or-later
"""What `mon --check` tells of a configuration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpvs.text.mon.config import parse
from bpvs.text.mon.report import format_seconds, report
from bpvs.text.mon.values import seconds

FILE = """\
hostgroup WEB 10.0.0.1 *10.0.0.2
watch WEB
  service http
    interval 90s
    failure_interval 2m
    monitor http.monitor -p 80
    period wd {Mon-Fri}
      upalert mail.alert me
      alert exit=2-4 lvs.alert
      alert exit=1 mail.alert "a b"
    period NIGHT: hr {0-6}
  service heartbeat
    traptimeout 5m
    period
      alert trap.alert -U mon -P secret 10.0.0.9
"""
EXPECTED = """\
notice: mon.cf:2: 'watch WEB' begins a section without a blank line before it; it is read as one
1 group, 2 services
WEB: 10.0.0.1, 10.0.0.2 (disabled)
  http: every 90s, after a failure 2m, by http.monitor -p 80
    wd {Mon-Fri}
      alert lvs.alert, for exit codes 2 to 4
      alert mail.alert a b, for exit codes 1
      upalert mail.alert me
    NIGHT: hr {0-6}
      no alerts
  heartbeat: by traps only
    always
      alert trap.alert -U mon -P *** 10.0.0.9
"""


def test_report() -> None:
    assert report(parse(FILE)) == EXPECTED


def test_nothing_is_watched() -> None:
    assert report(parse("")) == "0 groups, 0 services\n"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0s"), (5, "5s"), (90, "90s"), (120, "2m"), (5400, "90m"), (7200, "2h"), (172800, "2d")]
)
def test_times(value: float, text: str) -> None:
    assert format_seconds(value) == text


@given(st.integers(0, 10**7).map(lambda tenths: tenths / 10))
def test_a_time_reads_back(value: float) -> None:
    assert seconds(format_seconds(value)) == value
