# SPDX-License-Identifier: GPL-2.0-or-later
"""exec.monitor: programs of one's own for each host."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from bpvs.lab.wait import until
from bpvs.mon.monitors import exec as exec_monitor
from bpvs.mon.monitors.report import HostReport, output_of
from bpvs.text.errors import UsageError


def run(words: Sequence[str], *hosts: str) -> list[HostReport]:
    return asyncio.run(exec_monitor.check(words, hosts, {"MON_GROUP": "web"}))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "check me"
    path.write_text('#!/bin/sh\necho "$MON_GROUP $*"\necho "more of $1"\ncase "$*" in *bad*) exit 3;; esac\n')
    path.chmod(0o755)
    return path


def test_each_host_has_its_run(script: Path) -> None:
    reports = run([str(script), "-H", "{host}:80"], "good", "bad")
    assert [(one.host, one.is_ok, one.text, one.detail) for one in reports] == [
        ("good", True, "web -H good:80", "more of -H"),
        ("bad", False, "web -H bad:80", "more of -H"),
    ]
    assert output_of(reports).startswith(b"bad\n\nHOST good: web -H good:80 (")


def test_the_host_is_the_last_word_and_no_shell_reads_it(script: Path) -> None:
    reports = run([str(script), "{other}"], "a; touch /tmp/x", "$(id)", "-f")
    assert [one.text for one in reports[:2]] == ["web {other} a; touch /tmp/x", "web {other} $(id)"]
    assert reports[2].text == "a name that begins with '-' would be an option of the command"


def test_silent_programs_and_those_that_die() -> None:
    assert [one.text for one in run(["true"], "h") + run(["false"], "h")] == ["exit code 0", "exit code 1"]
    (killed,) = run(["/bin/sh", "-c", "kill -9 $$"], "h")
    assert (killed.is_ok, killed.text) == (False, "died of SIGKILL (signal 9)")


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    began = time.monotonic()
    (report,) = run(["-t", "0.5", "/bin/sh", "-c", f"sleep 60 & echo $! >{file}; wait"], "h")
    assert (report.is_ok, report.text) == (False, "timeout: ended after 0.5 s")
    assert time.monotonic() - began < 20
    pid = int(file.read_text())
    until(lambda: not os.path.exists(f"/proc/{pid}") or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2], "gone")


def test_hosts_run_at_once_but_not_all(tmp_path: Path) -> None:
    """The first wait for each other, so three do run at the same time."""
    log = tmp_path / "log"
    wait = f'while [ "$(grep -c + {log})" -lt 3 ]; do sleep 0.02; done'
    words = ["--at-once", "3", "/bin/sh", "-c", f"echo + >>{log}; {wait}; echo - >>{log}"]
    assert all(report.is_ok for report in run(words, *map(str, range(9))))
    running = most = 0
    for line in log.read_text().splitlines():
        running += 1 if line == "+" else -1
        most = max(most, running)
    assert most == 3


def test_wrong_words() -> None:
    with pytest.raises(UsageError, match="it wants a command"):
        run([], "h")
    with pytest.raises(UsageError, match="'/no/such' is no program that can be executed"):
        run(["/no/such"], "h")
