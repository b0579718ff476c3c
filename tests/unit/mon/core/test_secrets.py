# SPDX-License-Identifier: GPL-2.0-or-later
"""What an alert's arguments look like in logs and histories."""

from __future__ import annotations

import pytest

from bpvs.mon.core.alerts import without_secrets


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("-U mon -P geheim host", "-U mon -P *** host"),
        ("--password geheim a", "--password *** a"),
        ("--password=geheim a", "--password=*** a"),
        ("-pass x", "-pass ***"),
        ("--header Authorization:x http://h/", "--header *** http://h/"),
        ("-P", "-P"),
        ("-p 80 --path /", "-p 80 --path /"),
        ("", ""),
    ],
)
def test_secrets_are_not_shown(given: str, shown: str) -> None:
    assert " ".join(without_secrets(tuple(given.split()))) == shown
