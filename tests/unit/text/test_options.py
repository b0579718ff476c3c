# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from bpvs.text import options
from bpvs.text.errors import UsageError

OPTION_NAMES = set(options.VALUES) - options.COMMANDS


def test_long_and_short_spellings_are_unique() -> None:
    assert len(options.SHORT) == len(set(options.SHORT))
    assert set(options.LONG.values()) == set(options.VALUES)
    assert {options.SHORT[letter] for letter in "Ll"} == {"list"}


def test_b_is_fullnat_for_servers_and_flags_for_everything_else() -> None:
    fullnat = {command for command in options.COMMANDS if options.short_spellings(command)["b"] == "fullnat"}
    assert fullnat == {"add-server", "edit-server"}
    assert {options.short_spellings(command)["b"] for command in options.COMMANDS - fullnat} == {"sched-flags"}


def test_every_option_has_its_place_in_the_order_of_checks() -> None:
    named = {options.GROUPS.get(name, name) for name in OPTION_NAMES} - {"sort", "ipv6"}
    assert set(options._CHECK_ORDER) == named


def test_every_command_but_help_and_version_has_a_rule() -> None:
    assert set(options._RULES) == options.COMMANDS - {"help", "version"}


@pytest.mark.parametrize(
    ("command", "given", "message"),
    [
        ("add-service", "", "You need to supply the 'service-address' option for the 'add-service' command"),
        ("add-server", "service-address", "You need to supply the 'real-server' option for the 'add-server' command"),
        ("clear", "numeric", "Illegal 'numeric' option with the 'flush' command"),
        ("list", "weight numeric scheduler", "Illegal 'scheduler' option with the 'list' command"),
        ("list", "daemon timeout", "The option 'daemon' conflicts with the 'timeout' option in the 'list' command"),
        ("delete-server", "weight", "You need to supply the 'service-address' option for the 'delete-server' command"),
    ],
)
def test_wrong_combinations(command: str, given: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        options.check_combination(command, set(given.split()))
    assert str(caught.value) == message
    assert (caught.value.code, caught.value.stops_restore) == (2, True)


def test_tunnel_options_need_a_tunnel() -> None:
    options.check_tunnel("ipip", "masquerading", {"weight"})
    with pytest.raises(UsageError, match="Tunnel options conflict with forward method"):
        options.check_tunnel("ipip", "masquerading", {"tun-type"})


@pytest.mark.parametrize(
    ("given", "wrong"),
    [("connection stats", True), ("daemon rate", True), ("timeout persistent-conn", True), ("connection", False),
     ("connection persistent-conn", False), ("stats rate persistent-conn", False)],
)  # fmt: skip
def test_listings_that_exclude_each_other(given: str, wrong: bool) -> None:
    if wrong:
        with pytest.raises(UsageError, match="options conflicts in the list command"):
            options.check_listing(set(given.split()))
    else:
        options.check_listing(set(given.split()))
