# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may send traps."""

from __future__ import annotations

import pytest

from bpvs.model.mon.auth import TrapSender
from bpvs.mon.senders import Senders, Stranger

HASH = "tpXOGnTcd7hjs"  # of trappw


def test_a_user_needs_the_password() -> None:
    senders = Senders([TrapSender("192.0.2.1", "trapper", HASH)])
    assert senders.hash_for("192.0.2.1", "trapper") == HASH
    assert senders.check(HASH, "trappw")
    assert not senders.check(HASH, "wrong")


@pytest.mark.parametrize("address", ["192.0.2.2", "::1", "2001:db8::1"])
def test_other_hosts_are_strangers(address: str) -> None:
    senders = Senders([TrapSender("192.0.2.1", "trapper", HASH)])
    with pytest.raises(Stranger, match=f"received trap from unauthorized host: {address}"):
        senders.hash_for(address, "trapper")


@pytest.mark.parametrize("user", ["other", "", "*", "Trapper", "trapper "])
def test_other_users_are_strangers(user: str) -> None:
    senders = Senders([TrapSender("192.0.2.1", "trapper", HASH)])
    with pytest.raises(Stranger, match="received trap from unknown user"):
        senders.hash_for("192.0.2.1", user)


def test_a_host_may_be_trusted_as_a_whole() -> None:
    senders = Senders([TrapSender("192.0.2.1", "*", "x")])
    assert senders.hash_for("192.0.2.1", "whoever") is None
    with pytest.raises(Stranger):
        senders.hash_for("192.0.2.2", "*")


def test_entries_for_every_host_are_the_only_ones() -> None:
    senders = Senders([TrapSender("192.0.2.1", "*", "x"), TrapSender("*", "trapper", HASH)])
    assert senders.hash_for("192.0.2.9", "trapper") == HASH
    with pytest.raises(Stranger):
        senders.hash_for("192.0.2.1", "whoever")


def test_addresses_have_many_forms() -> None:
    senders = Senders([TrapSender("2001:DB8:0::1", "trapper", HASH), TrapSender("fe80::1", "trapper", HASH)])
    assert senders.hash_for("2001:db8::1", "trapper") == HASH
    assert senders.hash_for("fe80::1%eth0", "trapper") == HASH


def test_names_are_resolved() -> None:
    senders = Senders([TrapSender("localhost", "trapper", HASH), TrapSender("no-such-host.invalid", "trapper", HASH)])
    assert senders.hash_for("127.0.0.1", "trapper") == HASH
    assert senders.unresolved == ["no-such-host.invalid"]


def test_only_what_was_right_is_known() -> None:
    senders = Senders([TrapSender("192.0.2.1", "trapper", HASH)])
    senders.check(HASH, "wrong")
    assert not senders.knows(HASH, "wrong")
    assert not senders.knows(HASH, "trappw")
    senders.check(HASH, "trappw")
    assert senders.knows(HASH, "trappw")
    assert not senders.knows(HASH + "x", "trappw")
    assert "trappw" not in repr(vars(senders))
