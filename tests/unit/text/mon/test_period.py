# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines below a period: the value of each keyword, and what is odd or wrong."""

from __future__ import annotations

import pytest

from bpvs.model.mon import After, AlertKind, AlertLine, ExitRange, Period, Repeat, RepeatMode
from bpvs.text.mon.config import parse
from bpvs.text.mon.errors import ConfigError
from bpvs.text.mon.period import parse_alert

HEAD = "hostgroup G a\n\nwatch G\nservice s\ninterval 5s\nmonitor m\n"


def periods(*lines: str) -> tuple[Period, ...]:
    [service] = parse(HEAD + "\n".join(lines)).services.values()
    return service.periods


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("alertevery 1.5h", "every", Repeat(5400)),
        ("alertevery 5s summary", "every", Repeat(5, RepeatMode.SUMMARY)),
        ("alertevery 5s observe_detail", "every", Repeat(5, RepeatMode.DETAIL)),
        ("alertevery 5s  Ignore_Summary", "every", Repeat(5, RepeatMode.TIME)),
        ("alertevery 5s STRICT", "every", Repeat(5, RepeatMode.STRICT)),
        ("alertafter 3", "after", After(failures=3)),
        ("alertafter 30s", "after", After(seconds=30)),
        ("alertafter 1d", "after", After(seconds=86400)),
        ("alertafter 3 11s", "after", After(3, 11)),
        ("upalertafter 30s", "up_after", 30),
        ("numalerts 3", "limit", 3),
        ("numalerts 0", "limit", 0),
        ("no_comp_alerts", "no_comp_alerts", True),
        ("alerts_dont_count", "dont_count", True),
        ("alertexitrange 1-3", "exits", ExitRange(1, 3)),
    ],
)
def test_values(line: str, field: str, value: object) -> None:
    [period] = periods("period", line)
    assert getattr(period, field) == value


def test_alerts_in_their_order() -> None:
    [period] = periods(
        "period wd {Mon}",
        "alert b 'x y'",
        "upalert c",
        "alert exit=2 a",
        "startupalert d",
        "ackalert e",
        "disablealert f",
    )
    assert period.lines == {
        AlertKind.FAILURE: (AlertLine("b", ("x y",)), AlertLine("a", (), ExitRange(2, 2))),
        AlertKind.UP: (AlertLine("c"),),
        AlertKind.STARTUP: (AlertLine("d"),),
        AlertKind.ACK: (AlertLine("e"),),
        AlertKind.DISABLE: (AlertLine("f"),),
    }


@pytest.mark.parametrize("text", ["exit=2-4 a b", "exit=2-4   a b", "exit=2-4\ta b", "exit = 2-4 a b", "exit= 2-4 a b"])
def test_any_blanks_after_exit(text: str) -> None:
    assert parse_alert(text) == AlertLine("a", ("b",), ExitRange(2, 4))


def test_a_script_may_be_called_exit() -> None:
    assert parse_alert("exit 3") == AlertLine("exit", ("3",))


@pytest.mark.parametrize(
    ("text", "key", "calendar"),
    [
        ("wd {Sun-Sat}", "wd {Sun-Sat}", "wd {Sun-Sat}"),
        ("", "", ""),
        ("LBL: wd {Mon}", "LBL", "wd {Mon}"),
        ("LBL : hr {0-23}", "LBL", "hr {0-23}"),
        ("L_1:", "L_1", ""),
    ],
)
def test_keys(text: str, key: str, calendar: str) -> None:
    [period] = periods(f"period {text}")
    assert (period.key, period.calendar.text) == (key, calendar)


def test_several_periods_with_what_is_theirs() -> None:
    first, second = periods("period A:", "numalerts 1", "period B:", "alert b")
    assert (first.key, first.limit, second.key, second.limit) == ("A", 1, "B", None)
    assert not first.lines


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("alert", "alert: it names no script: write the script's name and its arguments"),
        ("alert exit=3", "alert: it names no script"),
        ("alert exit=x a", "alert: 'x' is neither an exit code nor a range of them"),
        ('upalert a "b', 'upalert: the quote " is not closed'),
        (
            "alertevery 5s no_summary",
            "alertevery: 'no_summary' is no way to repeat: write one of summary, observe_detail",
        ),
        ("alertevery 5s strict strict", "alertevery: 'strict strict' is no way to repeat"),
        ("alertevery strict", "alertevery: 'strict' is no time"),
        ("alertevery", "alertevery: '' is no time"),
        ("alertafter", "alertafter: '' is no number of failures and no time"),
        ("alertafter 3 4s 5", "alertafter: '3 4s 5' is no number of failures and no time"),
        ("alertafter 3 10s", "alertafter: 3 failures, one each 5s, do not fit into 10s: write a time longer than 10s"),
        ("alertafter \u0663", "alertafter: '\u0663' is no number"),
        ("numalerts -1", "numalerts: '-1' is no number"),
        ("alertexitrange 3-1", "alertexitrange: '3-1' holds no exit code"),
        ("period", "period: the service has a period '' already: give one of them a label"),
        ("period hr {25}", "period: '25' is not in 0-23"),
        ("period 9x: wd {Mon}", "period: '9x: wd {mon}' is no time of the week"),
    ],
)
def test_what_is_wrong(line: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        periods("period", line)
    assert str(caught.value).startswith(f"mon.cf:8: {says}")


def test_traps_need_no_room_for_checks() -> None:
    text = "hostgroup G a\n\nwatch G\nservice s\nperiod\nalertafter 3 10s\n"
    [service] = parse(text).services.values()
    assert service.periods[0].after == After(3, 10)


def test_what_is_odd() -> None:
    config = parse(f"{HEAD}period\nno_comp_alerts yes\n")
    assert config.notices == ("mon.cf:8: no_comp_alerts: it takes no value; 'yes' is ignored",)
