# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of values: what is read, and the sentence for what is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bpvs.model.mon import ExitRange
from bpvs.text.mon.errors import Wrong
from bpvs.text.mon.values import (
    exit_range,
    is_tag,
    neither,
    number,
    port,
    positive_seconds,
    seconds,
    split_paths,
    whole_seconds,
    yes,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [("5s", 5), ("5S", 5), ("1.5m", 90), ("2h", 7200), ("1d", 86400), ("0s", 0), ("0.0s", 0), ("0.5s", 0.5)],
)
def test_times(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    "text", ["", "5", ".5s", "5.s", "5 s", "-5s", "+5s", "1m30s", "5ms", "1w", "five", "\u0665s", "9999999999s", "1e3s"]
)
def test_no_times(text: str) -> None:
    with pytest.raises(Wrong, match=r"is no time: write 5s, 2m, 1.5h or 1d$"):
        seconds(text)


def test_zero_is_no_time_where_one_is_needed() -> None:
    for text in ("0s", "0.0s"):
        with pytest.raises(Wrong, match=f"'{text}' is no time at all") as caught:
            positive_seconds(text)
        assert caught.value.quoted == "0"


def test_fractions_count_as_whole_seconds_where_those_are_needed() -> None:
    assert [whole_seconds(text) for text in ("0.1s", "2s", "1.5m")] == [1, 2, 90]


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (number, "0", 0),
        (number, "020", 20),
        (port, "65535", 65535),
        (port, "0", 0),
        (exit_range, "3", ExitRange(3, 3)),
        (exit_range, "2-4", ExitRange(2, 4)),
        (exit_range, "2 - 4", ExitRange(2, 4)),
        (exit_range, "0-255", ExitRange(0, 255)),
    ],
)
def test_numbers(read: Callable[[str], object], text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (number, "x", "'x' is no number"),
        (number, "-1", "'-1' is no number"),
        (number, "", "'' is no number"),
        (number, "20 # so many", "is no number"),
        (number, "9999999999", "is no number"),
        (port, "65536", "'65536' is no port"),
        (exit_range, "1,3", "'1,3' is neither an exit code nor a range of them: write 3 or 2-4"),
        (exit_range, "4-2", "'4-2' holds no exit code"),
        (exit_range, "1-256", "'1-256' holds no exit code"),
    ],
)
def test_no_numbers(read: Callable[[str], object], text: str, says: str) -> None:
    with pytest.raises(Wrong, match=says):
        read(text)


def test_tags() -> None:
    assert all(map(is_tag, ("a", "WEB-1_x.y", "9", "-")))
    assert not any(map(is_tag, ("", "a b", "a/b", "a:b", "\xe4", "a\n")))


@pytest.mark.parametrize(
    ("text", "value", "odd"),
    [
        ("1", True, False),
        ("YES", True, False),
        ("y", True, False),
        ("True", True, False),
        ("on", True, False),
        ("0", False, False),
        ("off", False, False),
        ("maybe", False, True),
        ("", False, True),
    ],
)
def test_yes_and_no(text: str, value: bool, odd: bool) -> None:
    assert yes(text) is value
    assert bool(neither(text)) is odd


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("/x/monitors:/y", ("/x/monitors", "/y")),
        ("/x/mon.d:/s/y", ("/x/mon.d", "/s/y")),
        (" /x : y ", ("/x", "/base/y")),
        ("mon.d", ("/base/mon.d",)),
        ("/x::/y:", ("/x", "/y")),
        ("", ()),
    ],
)
def test_search_paths(text: str, paths: tuple[str, ...]) -> None:
    assert split_paths(text, "/base") == paths
