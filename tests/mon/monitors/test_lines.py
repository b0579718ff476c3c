# SPDX-License-Identifier: GPL-2.0-or-later
"""Monitors of protocols in lines: smtp, ftp, nntp, pop3, imap, ssh, before servers that are well and that are not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.mon.monitors.scripts import SICK_SPEAKERS, script
from tests.mon.monitors.servers import check, refusing, serving

# What is said of a healthy server, the script that it follows, and the monitor's arguments.
HEALTHY = {
    "smtp": ("220 mx ESMTP", "S: 220-hi\nS: 220 mx ESMTP\nC: EHLO .+\nS: 250-mx\nS: 250 SIZE\nC: QUIT\nS: 221 bye", ""),
    "smtp of old": (
        "220 mx",
        "S: 220 mx\nC: EHLO me\nS: 502 what\nC: HELO me\nS: 250 ok\nC: QUIT\nS: 221 ok",
        "--helo me",
    ),
    "ftp": ("220 ready", "S: 220-w\nS: more words\nS:  220 no end\nS: 220 ready\nC: QUIT\nS: 221 bye", ""),
    "ftp login": (
        "220 hi",
        "S: 220 hi\nC: USER mon\nS: 331 who\nC: PASS s3cret\nS: 230 in\nC: QUIT\nS: 221 bye",
        "--username mon --password s3cret",
    ),
    "ftp without password": ("220 hi", "S: 220 hi\nC: USER mon\nS: 230 in\nC: QUIT\nS: 221 bye", "--username mon"),
    "nntp": (
        "211 2 1 2 control",
        "S: 201 hi\nC: MODE READER\nS: 200 ok\nC: GROUP control\nS: 211 2 1 2 control\nC: QUIT\nS: 205 bye",
        "",
    ),
    "nntp login": (
        "211 1 1 1 misc.test",
        (
            "S: 200 hi\nC: AUTHINFO USER u\nS: 381 more\nC: AUTHINFO PASS s3cret\nS: 281 ok\nC: MODE READER\n"
            "S: 200 ok\nC: GROUP misc.test\nS: 211 1 1 1 misc.test\nC: QUIT\nS: 205 bye"
        ),
        "-u u -a s3cret -g misc.test",
    ),
    "nntp feeder": ("200 hi", "S: 200 hi\nC: QUIT\nS: 205 bye", "-f"),
    "pop3": ("+OK ready", "S: +OK ready\nC: QUIT\nS: +OK", ""),
    "pop3 login": (
        "+OK ready",
        "S: +OK ready\nC: USER u\nS: +OK\nC: PASS s3cret\nS: +OK\nC: QUIT\nS: +OK",
        "--username u --password s3cret",
    ),
    "imap": (
        "* OK [CAPABILITY IMAP4rev1] hi",
        "S: * OK [CAPABILITY IMAP4rev1] hi\nC: A1 LOGOUT\nS: * BYE\nS: A1 OK",
        "",
    ),
    "imap known already": ("* PREAUTH hi", "S: * PREAUTH hi\nC: A1 LOGOUT\nS: * BYE\nS: A1 OK", ""),
    "imap login": (
        "* OK hi",
        (
            'S: * OK hi\nC: A1 LOGIN "a\\\\"b" "s3cret"\nS: A1 OK\nC: A2 EXAMINE "in box"\nS: * 3 EXISTS\nS: A2 ok\n'
            "C: A3 LOGOUT\nS: A3 OK"
        ),
        ["--username", 'a"b', "--password", "s3cret", "-m", "in box"],
    ),
    "imap as mon": (
        "* OK hi",
        'S: * OK hi\nC: A1 LOGIN ANONYMOUS ANONYMOUS\nS: A1 OK\nC: A2 EXAMINE "x"\nS: A2 OK\nC: A3 LOGOUT\nS: A3 OK',
        "-m x",
    ),
    "ssh": ("SSH-2.0-OpenSSH_9.2", "S: motd\nS: SSH-2.0-OpenSSH_9.2\nC: SSH-2.0-bpvs_mon", "--match OpenSSH"),
    "ssh of two worlds": ("SSH-1.99-x", "S: SSH-1.99-x\nC: SSH-2.0-bpvs_mon", ""),
}

SICK = {
    "smtp is busy": ("greeting: 421 busy", "S: 421 busy", ""),
    "smtp does not like us": (
        "HELO me: 550 no",
        "S: 220 hi\nC: EHLO me\nS: 550 no\nC: HELO me\nS: 550 no",
        "--helo me",
    ),
    "smtp has trouble": ("EHLO me: 451 later", "S: 220 hi\nC: EHLO me\nS: 451 later", "--helo me"),
    "smtp does not end": ("QUIT: 250 ok", "S: 220 hi\nC: EHLO .+\nS: 250 ok\nC: QUIT\nS: 250 ok", ""),
    "smtp breaks off": ("closed early, without a word", "S: 220 hi\nC: EHLO .+", ""),
    "smtp without TLS": ("it does not offer STARTTLS", "S: 220 hi\nC: EHLO .+\nS: 250 ok", "--starttls"),
    "smtp is http": ("no reply of the protocol: 'HTTP/1.1 400 Bad'", "S: HTTP/1.1 400 Bad", ""),
    "smtp talks without end": ("a reply of more than 200 lines", "S: 220-x\n" * 300, ""),
    "ftp is full": ("greeting: 530 no", "S: 530 no", ""),
    "ftp login": (
        "PASS ***: 530 no",
        "S: 220 hi\nC: USER u\nS: 331 who\nC: PASS s3cret\nS: 530 no",
        "--username u --password s3cret",
    ),
    "nntp has no such group": (
        "GROUP x: 411 none",
        "S: 200 hi\nC: MODE READER\nS: 200 ok\nC: GROUP x\nS: 411 none",
        "-g x",
    ),
    "nntp is closed": ("greeting: 502 no", "S: 502 no", ""),
    "pop3 refuses": ("greeting: -ERR no", "S: -ERR no", ""),
    "pop3 login": (
        "PASS ***: -ERR wrong",
        "S: +OK\nC: USER u\nS: +OK\nC: PASS s3cret\nS: -ERR wrong",
        "--username u --password s3cret",
    ),
    "imap refuses": ("greeting: * BYE full", "S: * BYE full", ""),
    "imap login": (
        "LOGIN ***: A1 NO denied",
        'S: * OK hi\nC: A1 LOGIN "u" "s3cret"\nS: A1 NO denied',
        "--username u --password s3cret",
    ),
    "imap talks without end": ("LOGOUT: more than 1000 lines and no end", "S: * OK\n" * 2000, ""),
    "ssh of old": ("it does not speak SSH 2: SSH-1.5-x", "S: SSH-1.5-x", ""),
    "ssh of another make": ("its identification does not match: SSH-2.0-x", "S: SSH-2.0-x", "--match OpenSSH"),
    "ssh is another": ("50 lines and none that begins with SSH-", "S: hello\n" * 60, ""),
}


def arguments(port: int, more: str | Sequence[str]) -> list[str]:
    return ["-p", str(port), *(more.split() if isinstance(more, str) else more)]


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy(name: str) -> None:
    said, lines, more = HEALTHY[name]
    with serving(script(lines)) as port:
        (report,) = check(f"{name.partition(' ')[0]}.monitor", arguments(port, more))
    assert (report.text, report.is_ok) == (said, True)
    assert "s3cret" not in repr(report)
    assert [phase.name for phase in report.phases][:2] == ["connect", "greeting"]


@pytest.mark.parametrize("name", SICK)
def test_sick(name: str) -> None:
    said, lines, more = SICK[name]
    with serving(script(lines)) as port:
        (report,) = check(f"{name.partition(' ')[0]}.monitor", arguments(port, more))
    assert (report.text, report.is_ok) == (said, False)
    assert "s3cret" not in repr(report)


@pytest.mark.parametrize("monitor", ["smtp", "ftp", "nntp", "pop3", "imap", "ssh"])
def test_sick_in_ways_that_all_know(monitor: str) -> None:
    for serve, more, said in SICK_SPEAKERS.values():
        with serving(serve) as port:
            (report,) = check(f"{monitor}.monitor", arguments(port, more))
        assert (report.text, report.is_ok) == (said, False)
    with refusing() as port:
        (report,) = check(f"{monitor}.monitor", f"-p {port}")
    assert (report.text, report.is_ok) == ("connection refused", False)


def test_the_conversation_is_told() -> None:
    with serving(script("S: 220 hi\nC: EHLO me\nS: 250 ok\nC: QUIT\nS: 500 \x1b[2Jno")) as port:
        (report,) = check("smtp.monitor", f"-p {port} --helo me")
    assert report.detail.splitlines() == ["< 220 hi", "> EHLO me", "< 250 ok", "> QUIT", "< 500 ?[2Jno"]


def test_a_password_from_a_file_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "password"
    told = f"--username u --password-file {file}"
    with serving(script("S: +OK\nC: USER u\nS: +OK\nC: PASS new\nS: +OK\nC: QUIT\nS: +OK")) as port:
        (missing,) = check("pop3.monitor", arguments(port, told))
        file.write_text("old\n")
        (old,) = check("pop3.monitor", arguments(port, told))
        file.write_text("new\nsecond line")
        (new,) = check("pop3.monitor", arguments(port, told))
    assert missing.text == f"the password file {file} cannot be read: No such file or directory"
    assert [old.is_ok, new.is_ok] == [False, True]
