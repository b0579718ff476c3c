# SPDX-License-Identifier: GPL-2.0-or-later
"""What words of alerts and monitors look like in logs, histories and statuses."""

from __future__ import annotations

import pytest

from bpvs.text.mon.secrets import shown_line, without_secrets


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


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("x.monitor -password a-b -port 1", "x.monitor -password *** -port 1"),
        ("x.monitor --password=a --pass  b;c ;;", "x.monitor --password=*** --pass  *** ;;"),
        (r"""x.monitor --secret "a \" b"c -p 1""", "x.monitor --secret *** -p 1"),
        (r"""x.monitor --secret a\ b'c d' -p 1""", "x.monitor --secret *** -p 1"),
        ("x.monitor -P tcp --password-file /a", "x.monitor -P tcp --password-file /a"),
        ("x.monitor --password", "x.monitor --password"),
    ],
)
def test_clients_see_the_line_of_a_monitor_without_passwords(given: str, shown: str) -> None:
    assert shown_line(given) == shown
