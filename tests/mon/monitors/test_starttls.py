# SPDX-License-Identifier: GPL-2.0-or-later
"""Protocols that go on in TLS after they have begun without, and those that are in TLS from the beginning."""

from __future__ import annotations

import socket

import pytest

from bpvs.text.errors import UsageError
from tests.mon.monitors.scripts import recite, script, turns
from tests.mon.monitors.servers import Serve, check, serving
from tests.mon.monitors.test_tls import AUTHORITY, context

# What is said before TLS and after.
UPGRADES = {
    "smtp": (
        "S: 220 hi\nC: EHLO .+\nS: 250-hi\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go",
        "C: EHLO .+\nS: 250 hi\nC: QUIT\nS: 221 bye",
    ),
    "ftp": ("S: 220 hi\nC: AUTH TLS\nS: 234 go", "C: USER u\nS: 331 x\nC: PASS s3cret\nS: 230 in\nC: QUIT\nS: 221 bye"),
    "nntp": (
        "S: 200 hi\nC: STARTTLS\nS: 382 go",
        "C: MODE READER\nS: 200 k\nC: GROUP .*\nS: 211 0\nC: QUIT\nS: 205 bye",
    ),
    "pop3": ("S: +OK hi\nC: STLS\nS: +OK", "C: USER u\nS: +OK\nC: PASS s3cret\nS: +OK\nC: QUIT\nS: +OK"),
    "imap": ("S: * OK\nC: A1 STARTTLS\nS: A1 OK", 'C: A2 LOGIN "u" "s3cret"\nS: A2 OK\nC: A3 LOGOUT\nS: A3 OK'),
}
LOGIN = {"ftp", "pop3", "imap"}


def upgrading(before: str, after: str) -> Serve:
    def serve(connection: socket.socket) -> None:
        recite(connection, before)
        with context("server").wrap_socket(connection, server_side=True) as secured:
            script(after)(secured)

    return serve


@pytest.mark.parametrize("monitor", UPGRADES)
def test_starttls(monitor: str) -> None:
    before, after = UPGRADES[monitor]
    more = ["--username", "u", "--password", "s3cret"] if monitor in LOGIN else []
    with serving(upgrading(before, after)) as port:
        told = ["-p", str(port), "--starttls", "--ca", str(AUTHORITY), *more]
        (report,) = check(f"{monitor}.monitor", told)
        (stranger,) = check(f"{monitor}.monitor", [*told, "--sni", "example.org"])
    assert report.is_ok, report
    assert ", TLSv1.3, certificate has " in report.text
    assert "tls" in [phase.name for phase in report.phases]
    assert stranger.text.startswith("certificate refused: ")
    assert "s3cret" not in repr((report, stranger))


@pytest.mark.parametrize(
    ("monitor", "lines"),
    [
        ("smtp", "S: 220 hi\nC: EHLO .+\nS: 250 hi\nC: QUIT\nS: 221 bye"),
        ("ftp", "S: 220 hi\nC: QUIT\nS: 221 bye"),
        ("imap", "S: * OK\nC: A1 LOGOUT\nS: A1 OK"),
        ("redis", "C: .1\nC: .4\nC: PING\nS: +PONG"),
        ("memcached", "C: version\nS: VERSION 1"),
    ],
)
def test_tls_from_the_beginning(monitor: str, lines: str) -> None:
    with serving(script(lines), tls=context("server")) as port:
        (report,) = check(f"{monitor}.monitor", f"-p {port} --tls --ca {AUTHORITY}")
    assert report.is_ok, report
    assert ", TLSv1.3, certificate has " in report.text


@pytest.mark.parametrize("option", ["--verify", "--ca /x", "--days 5", "--sni x"])
@pytest.mark.parametrize("monitor", ["smtp", "imap", "ldap", "redis"])
def test_what_tls_should_be_like_where_there_is_none(monitor: str, option: str) -> None:
    with pytest.raises(UsageError, match="say what TLS has to be like, which was not asked for"):
        check(f"{monitor}.monitor", option)


def test_words_that_came_before_tls_do_not_count_in_it() -> None:
    """Whoever sits in between could slip them in (CVE-2011-0411)."""
    with serving(turns(b"+OK hi\r\n", b"+OK\r\n+OK slipped in\r\n", speaks_first=True)) as port:
        (report,) = check("pop3.monitor", f"-p {port} --starttls")
    assert (report.text, report.is_ok) == ("it sent more before TLS than it should have", False)
