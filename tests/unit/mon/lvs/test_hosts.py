# SPDX-License-Identifier: GPL-2.0-or-later
"""The addresses of hosts."""

from __future__ import annotations

import time

import pytest

from bpvs.model import Address
from bpvs.mon.lvs.hosts import FRESH, Resolver, look_up


def test_an_address_is_asked_of_nobody() -> None:
    def ask(host: str) -> frozenset[Address]:
        raise AssertionError(host)

    assert Resolver(ask).addresses("2001:db8::1") == {Address.parse("2001:db8::1")}


def test_a_name_is_asked_once_and_its_last_answer_outlives_the_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [frozenset({Address.parse("10.0.0.7")}), frozenset[Address]()]
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    resolver = Resolver(lambda _host: answers.pop(0))
    for seconds in (0.0, FRESH / 2, FRESH):
        clock[0] = 100.0 + seconds
        assert resolver.addresses("web") == {Address.parse("10.0.0.7")}
    assert answers == []


def test_a_name_that_comes_into_being_is_found() -> None:
    answers = [frozenset[Address](), frozenset({Address.parse("10.0.0.7")})]
    resolver = Resolver(lambda _host: answers.pop(0))
    assert resolver.addresses("web") == frozenset()
    assert len(resolver.addresses("web")) == 1


def test_the_system_knows_its_own_name() -> None:
    assert Address.parse("127.0.0.1") in look_up("localhost")
    assert look_up("no-such-name.invalid") == frozenset()
    assert look_up("x" * 300) == frozenset()
