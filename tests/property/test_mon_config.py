# SPDX-License-Identifier: GPL-2.0-or-later
"""mon.cf: sections need no blank lines between them, and no text at all does worse than a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bpvs.text.mon.auth import parse_auth, parse_users
from bpvs.text.mon.config import parse
from bpvs.text.mon.errors import ConfigError
from bpvs.text.mon.period import PERIOD_KEYWORDS
from bpvs.text.mon.report import report
from bpvs.text.mon.service import SERVICE_KEYWORDS
from bpvs.text.mon.settings import SETTINGS

tags = st.sampled_from(["A", "B", "web-1", "x_y.z", "watch", "hostgroup", "service"])
hosts = st.lists(st.sampled_from(["10.0.0.1", "*10.0.0.2", "a.example", "monitor", "interval", "period"]), min_size=1)
free_text = st.sampled_from(["The shop", "watch A service s items x", "url http://x/", "view", "hostgroup"])
service_lines = st.sampled_from(
    ["monitor http.monitor -p 80", "depend SELF:s", "FOO=bar baz", "description watch A", "exclude_hosts a.example"]
)
period_lines = st.sampled_from(["alert mail.alert me", "upalert x", "alertevery 5m strict", "numalerts 2", "# watch A"])


def indented(lines: list[str], width: int) -> list[str]:
    return [" " * width + line for line in lines]


@st.composite
def watches(draw: st.DrawFn) -> list[str]:
    lines = []
    for number in range(draw(st.integers(0, 2))):
        lines += [f"service s{number}", "interval 5s", *draw(st.lists(service_lines, max_size=3))]
        for label in range(draw(st.integers(0, 2))):
            lines += [f"period P{label}: wd {{Mon-Fri}}", *draw(st.lists(period_lines, max_size=3))]
    return indented(lines, draw(st.sampled_from([0, 2, 4])))


@st.composite
def blocks(draw: st.DrawFn) -> list[str]:
    """Sections, each once by its name, in any order; a `view` or `hostgroup` has members in its first line."""
    sections: dict[tuple[str, str], list[str]] = {}
    for kind in draw(st.lists(st.sampled_from(["hostgroup", "watch", "view", "alias"]), max_size=6)):
        tag = draw(tags)
        if kind == "watch":
            lines = [f"watch {tag}", *draw(watches())]
        elif kind == "alias":
            lines = [f"alias {tag}", *draw(st.lists(free_text, max_size=3))]
        else:
            below = [" ".join(members) for members in draw(st.lists(hosts, max_size=2))]
            lines = [f"{kind} {tag} {' '.join(draw(hosts))}", *indented(below, draw(st.integers(0, 2)))]
        sections.setdefault((kind, tag), lines)
    settings = draw(st.sampled_from([[], ["maxprocs = 5\ndep_behavior = m"]]))
    return [*settings, *("\n".join(lines) for lines in sections.values())]


@given(blocks())
def test_blank_lines_between_sections_change_nothing(wanted: list[str]) -> None:
    spaced = parse("\n\n".join(wanted))
    dense = parse("\n".join(wanted))
    assert replace(spaced, notices=()) == replace(dense, notices=())
    assert not any("begins a section" in notice for notice in spaced.notices)


line_beginnings = st.sampled_from(
    [
        "",
        "hostgroup ",
        "watch G",
        "view ",
        "alias ",
        "service s",
        "period ",
        "alert ",
        "depend ",
        "monitor ",
        "A=",
        "# ",
    ]
    + [f"{name} " for name in (*SERVICE_KEYWORDS, *PERIOD_KEYWORDS)]
    + [f"{name} = " for name in SETTINGS]
)
line_ends = st.sampled_from(["", "5s", "3", "3 5m", "wd {Mon}", "a:b", "yes", "exit=2 x", "a b", "\\", '"']) | st.text(
    max_size=8
)
plausible = st.lists(st.tuples(line_beginnings, line_ends).map("".join), max_size=25).map("\n".join)


def error_of(read: Callable[[str | bytes], object], text: str | bytes) -> ConfigError | None:
    try:
        read(text)
    except ConfigError as error:
        return error
    return None


@given(plausible | st.binary(max_size=100))
def test_a_configuration_or_a_sentence(text: str | bytes) -> None:
    error = error_of(parse, text)
    if error:
        assert str(error).startswith(f"mon.cf:{error.line}: ")
        assert "\n" not in str(error)
    else:
        config = parse(text)
        assert report(config).count("\n") >= 1 + len(config.notices)
        assert all(notice.startswith("mon.cf:") for notice in config.notices)


@given(st.binary(max_size=100) | st.text(st.sampled_from("ab:,! *#\n")))
def test_users_and_what_they_may_or_a_sentence(text: str | bytes) -> None:
    for read in (parse_auth, parse_users):
        error = error_of(read, text)
        assert error is None or error.line > 0
