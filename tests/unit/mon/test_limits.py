# SPDX-License-Identifier: GPL-2.0-or-later
"""Limits on a clock of the test's own."""

from __future__ import annotations

from bpvs.mon.limits import Bucket, Buckets


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_and_then_the_rate() -> None:
    clock = Clock()
    bucket = Bucket(10, 3, clock)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock.now = 0.1
    assert [bucket.take(), bucket.take()] == [True, False]


def test_a_long_pause_saves_no_more_than_a_burst() -> None:
    clock = Clock()
    bucket = Bucket(10, 3, clock)
    clock.now = 3600
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_sources_do_not_share() -> None:
    buckets = Buckets(1, 1, clock=Clock())
    assert [buckets.take("a"), buckets.take("a"), buckets.take("b")] == [True, False, True]


def test_those_not_heard_for_longest_are_forgotten() -> None:
    buckets = Buckets(1, 1, most=2, clock=Clock())
    assert buckets.take("a")
    assert buckets.take("b")
    assert not buckets.take("a")
    assert buckets.take("c")  # b is forgotten
    assert not buckets.take("a")
    assert buckets.take("b")
