# SPDX-License-Identifier: GPL-2.0-or-later
"""file.alert, test.alert, syslog.alert and exec.alert: what they leave behind."""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from bpvs.model.mon import AlertKind, Key
from bpvs.mon.alerts.calling import AlertFailed, Calling
from bpvs.mon.alerts.registry import ALERTS, find
from bpvs.mon.alerts.telling import headline, local_time

from .conftest import Call

WHEN = local_time(1795377522)


@pytest.mark.parametrize("name", ALERTS)
def test_every_built_in_is_there(name: str) -> None:
    assert callable(find(name))


def test_what_is_no_built_in_is_none() -> None:
    assert find("nosuch.alert") is None


def test_a_record_is_mons(call: Call, tmp_path: Path) -> None:
    assert call("file.alert", "alerts") == f"written to {tmp_path}/alerts"
    call("file.alert", "-d", str(tmp_path), "-S", "my\nsubject", "alerts", kind=AlertKind.UP, stdin=b"")
    assert (tmp_path / "alerts").read_text() == (
        f"failure WEB http 1795377522 ({WHEN}) 10.0.0.1\n"
        "DESCR=shop\nOPSTATUS=0\nHOST 10.0.0.1: refused\n..hidden\n.\n"
        f"up WEB http 1795377522 ({WHEN}) my subject\nDESCR=shop\nOPSTATUS=0\n.\n"
    )


def test_a_file_that_cannot_be_written_is_told(call: Call, tmp_path: Path) -> None:
    with pytest.raises(AlertFailed, match="nowhere/x cannot be written: No such file or directory"):
        call("file.alert", "-d", str(tmp_path / "nowhere"), "x")
    with pytest.raises(AlertFailed, match=r"file\.alert: the following arguments are required: file"):
        call("file.alert")


def test_a_pipe_that_nobody_reads_does_not_stop_the_daemon(call: Call, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TimeoutError):
        call("file.alert", "pipe", timeout=0.5)
    assert call("file.alert", "file") == f"written to {tmp_path}/file"


def test_the_test_alert_notes_all_arguments(call: Call, tmp_path: Path) -> None:
    call("test.alert", "some", "words", kind=AlertKind.UP)
    call("test.alert")
    first, second = (tmp_path / "test.alert.log").read_text().splitlines()
    assert first.endswith(" -s http -g WEB -h 10.0.0.1 10.0.0.2 -t 1795377522 -u some words")
    assert second.endswith(" -t 1795377522")


def test_the_log_gets_one_line_whatever_the_monitor_said(call: Call, tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(path)
        said = b"10.0.0.1\x1b[2J\r<0>forged\nmore\n"
        assert call("syslog.alert", "--socket", path, "-f", "local3", stdin=said) == "logged at local3.crit"
        call("syslog.alert", "--socket", path, "-l", "info", "-t", "watch", kind=AlertKind.UP)
        first, second = log.recv(4096).decode(), log.recv(4096).decode()
    assert first == f"<{19 * 8 + 2}>{WHEN[4:]} mon[{os.getpid()}]: ALERT WEB/http: 10.0.0.1 [2J <0>forged ({WHEN})"
    assert re.fullmatch(rf"<30>.* watch\[\d+\]: UPALERT WEB/http: 10\.0\.0\.1 \({WHEN}\)", second)


def test_a_missing_log_is_told(call: Call, tmp_path: Path) -> None:
    with pytest.raises(AlertFailed, match=r"nothing was logged, .*/none: No such file or directory"):
        call("syslog.alert", "--socket", str(tmp_path / "none"))


def fill(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(BlockingIOError):
        sender.setblocking(False)
        sender.connect(path)
        while True:
            sender.send(b"x")


def test_a_full_log_holds_nobody_up(call: Call, tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(path)
        fill(path)
        with pytest.raises(AlertFailed, match=r"nothing was logged, .*: the log takes nothing now"):
            call("syslog.alert", "--socket", path)


def test_a_program_gets_its_own_arguments_and_no_shell(call: Call, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f'#!/bin/sh\n{{ printf "%s|" "$@" "$MON_HOSTS" "$MON_TIME"; cat; }} > {tmp_path}/told\n')
    script.chmod(0o700)
    said = call("exec.alert", str(script), "-x", "$(id)", "a b")
    assert re.fullmatch(rf"{script} ended well after \d\.\d s", said)
    told = (tmp_path / "told").read_text()
    assert told == "-x|$(id)|a b|10.0.0.1 10.0.0.2|1795377522|10.0.0.1\nHOST 10.0.0.1: refused\n.hidden\n"


def test_a_program_that_fails_or_is_not_there_is_told(call: Call) -> None:
    with pytest.raises(AlertFailed, match=r"ls gave exit code 2: .*nosuch"):
        call("exec.alert", "ls", "/nosuch")
    with pytest.raises(AlertFailed, match="there is no program 'no-such-program'"):
        call("exec.alert", "no-such-program")


def test_a_headline_without_a_summary() -> None:
    calling = Calling(Key("WEB", "http"), AlertKind.STARTUP, (), 1795377522, (), "  ", "")
    assert headline(calling) == f"STARTUPALERT WEB/http: (NO SUMMARY) ({WHEN})"
