# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bpvs.ipvsadm.entry import program_name


def call(code: str, *words: str, stdin: str = "", redirect: str = "") -> subprocess.CompletedProcess[str]:
    """A process of its own with a director in memory instead of the kernel's."""
    script = (
        "import sys; from bpvs.ipvsadm import entry; from bpvs.testing import MemoryDirector;"
        "entry._director = MemoryDirector; sys.argv[0] = 'ipvsadm';"
        f"sys.exit(entry.{code}())"
    )
    command = [sys.executable, "-c", script, *words]
    if redirect:
        command = ["sh", "-c", f'"$@" {redirect}', "sh", *command]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def test_main_prints_and_exits() -> None:
    done = call("main", "-L", "-n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("IP Virtual Server version 1.2.1 (size=4096)\n")
    assert call("main", "-q").returncode == 255


def test_main_reads_stdin_for_restore() -> None:
    done = call("main", "-R", stdin="-A -t 10.0.0.1:80 -s rr\n-S -n")
    assert (done.returncode, done.stdout) == (0, "-A -t 10.0.0.1:80 -s rr\n")


def test_bytes_that_are_no_text_come_back_in_the_message() -> None:
    script = "from bpvs.ipvsadm import entry; from bpvs.testing import MemoryDirector; entry._director = MemoryDirector"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}; raise SystemExit(entry.main(['-R']))"],
        input=b"-A -t 10.0.0.1:80 \xff\n",
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, b"unexpected argument \\udcff\n")


def test_save_knows_one_option() -> None:
    assert call("save_main", "-n").returncode == call("save_main", "word").returncode == 0
    done = call("save_main", "-x")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "ipvsadm: Script to save the IPVS table to stdout.\n"
        "   With the -n option, prints out the table in numeric format.\n"
    )


def test_restore_takes_comments() -> None:
    done = call("restore_main", stdin="# comment\n-A -t 10.0.0.1:80 -s rr\n-S -n\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "-A -t 10.0.0.1:80 -s rr\n", "")


def test_closed_streams_do_no_harm() -> None:
    assert call("main", "-R", redirect="<&-").returncode == 0
    assert call("main", "-L", redirect=">&-").returncode == 0
    assert call("main", "-q", redirect="2>&-").returncode == 255


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
def test_a_full_disk_is_reported() -> None:
    done = call("main", "-L", redirect=">/dev/full")
    assert done.returncode == 1
    assert done.stderr == "cannot write to standard output: No space left on device\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    script = (
        "from bpvs.ipvsadm import entry; from bpvs.testing import MemoryDirector; entry._director = MemoryDirector;"
        "raise SystemExit(entry.main(['-L']))"
    )
    with os.fdopen(writer, "w") as stdout:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (141, "")


def test_the_name_in_messages(tmp_path: Path) -> None:
    program = tmp_path / "ipvsadm"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert program_name(str(program), f"/nowhere:{tmp_path}") == "ipvsadm"
    assert program_name(str(program), "/nowhere") == str(program)
    assert program_name("ipvsadm", f"{tmp_path}") == "ipvsadm"
