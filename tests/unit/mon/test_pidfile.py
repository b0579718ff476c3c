# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bpvs.lab.wait import until
from bpvs.mon.pidfile import AlreadyRunning, PidFile


def test_it_holds_our_number_until_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "mon.pid"
    path.write_text("99999999999\n")  # of one that was killed
    held = PidFile(path)
    held.take()
    held.write()
    assert path.read_text() == f"{os.getpid()}\n"
    with pytest.raises(AlreadyRunning, match=f"another mon runs as process {os.getpid()}: end that one first"):
        PidFile(path).take()
    held.release()
    assert not path.exists()
    again = PidFile(path)
    again.take()
    again.release()


def test_a_mon_that_locks_nothing_is_respected_while_it_lives(tmp_path: Path) -> None:
    path, program = tmp_path / "mon.pid", tmp_path / "mon"
    program.write_text("#!/bin/sh\nread something\n")
    program.chmod(0o755)
    with subprocess.Popen([program], stdin=subprocess.PIPE) as other:
        path.write_text(f"{other.pid}\n")
        until(lambda: Path(f"/proc/{other.pid}/comm").read_text() == "mon\n", "its name")
        with pytest.raises(AlreadyRunning, match=f"process {other.pid}"):
            PidFile(path).take()
        other.kill()
    PidFile(path).take()


def test_a_number_that_is_another_programs_by_now_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "mon.pid"
    path.write_text(f"{os.getppid()}\n")
    PidFile(path).take()


def test_somebody_elses_file_of_that_name_stays(tmp_path: Path) -> None:
    path = tmp_path / "mon.pid"
    held = PidFile(path)
    held.take()
    path.unlink()
    path.write_text("1\n")
    held.release()
    assert path.read_text() == "1\n"


def test_a_file_that_cannot_be_made_is_an_os_error(tmp_path: Path) -> None:
    held = PidFile(tmp_path / "missing" / "mon.pid")
    with pytest.raises(FileNotFoundError):
        held.take()
    held.write()
    held.release()
