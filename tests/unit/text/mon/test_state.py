# SPDX-License-Identifier: GPL-2.0-or-later
"""State files: those that the real mon wrote are read and written again byte by byte."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpvs.model.mon import Key
from bpvs.text.mon.escape import decode
from bpvs.text.mon.state import (
    PERIOD_FIELDS,
    SERVICE_FIELDS,
    BadState,
    Disabled,
    SavedService,
    parse_disabled,
    parse_opstatus,
    print_disabled,
    print_opstatus,
)

GOLDEN = Path(__file__).parents[3] / "golden/mon/state"


def test_the_disabled_file_of_mon() -> None:
    text = (GOLDEN / "disabled").read_text()
    disabled = parse_disabled(text)
    assert disabled == Disabled(("h2",), ("H",), (Key("G", "long"),))
    assert print_disabled(disabled) == text


def test_the_opstatus_file_of_mon() -> None:
    text = (GOLDEN / "opstatus").read_text()
    assert print_opstatus(parse_opstatus(text)) == text


def test_what_an_opstatus_line_says() -> None:
    saved = {str(one.key): one for one in parse_opstatus((GOLDEN / "opstatus").read_text())}
    failing = next(one for one in parse_opstatus((GOLDEN / "opstatus").read_text()) if one.fields["op_status"] == "0")
    assert failing.key == Key("G", "s")
    assert failing.fields["failure_output"] == "h1 h2\nd1\n"
    assert failing.periods == {
        "wd {Sun-Sat}": {"last_alert": "1795378402", "alert_sent": "2", "1stfailtime": "", "failcount": ""}
    }
    assert list(saved["WEB:http"].periods) == ["wd {Sun-Sat}", "NIGHT"]
    assert list(saved["LONE:x"].periods) == [""]


@pytest.mark.parametrize("line", ["disable", "disable host", "disable service G", "enable host h", "x"])
def test_a_disabled_line_that_says_nothing_is_refused(line: str) -> None:
    with pytest.raises(BadState, match=f"disabled:2: '{line}': right would be"):
        parse_disabled(f"disable host h\n{line}\n")


def test_an_opstatus_line_without_a_name_is_refused() -> None:
    with pytest.raises(BadState, match="opstatus:1: right would be `group=G`"):
        parse_opstatus("group=G\top_status=1\n")


WORDS = st.from_regex(r"[A-Za-z0-9_.-]+", fullmatch=True)
TEXTS = st.binary(max_size=40).map(decode)
LABELS = st.text(st.characters(exclude_characters="\t\n", exclude_categories=["Cs"]), max_size=20).filter(
    lambda label: not any(f":{name}=" in label for name in PERIOD_FIELDS)
)
SAVED = st.builds(
    SavedService,
    st.builds(Key, WORDS, WORDS),
    st.fixed_dictionaries(dict.fromkeys(SERVICE_FIELDS, TEXTS), optional={"flaps": TEXTS}),
    st.dictionaries(LABELS, st.fixed_dictionaries(dict.fromkeys(PERIOD_FIELDS, TEXTS)), max_size=3),
)


@given(st.lists(SAVED, max_size=3))
def test_whatever_is_known_comes_back(services: list[SavedService]) -> None:
    assert parse_opstatus(print_opstatus(services)) == services


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_opstatus, parse_disabled):
        with suppress(BadState):
            parse(text)
