# SPDX-License-Identifier: GPL-2.0-or-later
"""Configurations by way of the real m4, and of programs that fail at it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from bpvs.lab.wait import until
from bpvs.model.mon import Key
from bpvs.mon.m4 import Source, read_source
from bpvs.text.mon.config import parse
from bpvs.text.mon.errors import ConfigError

needs_m4 = pytest.mark.skipif(shutil.which("m4") is None, reason="m4 is not installed: make setup installs it")


def read(path: Path, preprocessor: str = "", patience: float = 30) -> Source:
    return read_source(str(path), preprocessor, patience)


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_plain_file_is_read_as_it_stands(tmp_path: Path) -> None:
    plain = tmp_path / "mon.cf"
    plain.write_bytes(b"define(`X', `\xff')\n")
    assert read(plain) == Source(b"define(`X', `\xff')\n")


@needs_m4
@pytest.mark.parametrize(("name", "preprocessor"), [("mon.cf.m4", ""), ("mon.cf", "m4")])
def test_macros_and_includes(tmp_path: Path, name: str, preprocessor: str) -> None:
    (tmp_path / "web.inc").write_text("watch WEB\nservice http\ninterval EVERY\n")
    main = tmp_path / name
    main.write_text("define(`EVERY', `7s')dnl\nhostgroup WEB a\n\ninclude(`web.inc')\n")
    config = parse(read(main, preprocessor).text)
    assert config.services[Key("WEB", "http")].interval == 7


@needs_m4
def test_an_error_names_the_line_of_the_included_file(tmp_path: Path) -> None:
    (tmp_path / "web.inc").write_text("watch WEB\nservice http\ninterval 5\n")
    main = tmp_path / "mon.cf.m4"
    main.write_text("define(`X',\n`two\nlines')dnl\ninclude(`web.inc')\n")
    with pytest.raises(ConfigError, match=r"web\.inc:3: interval: '5' is no time: "):
        parse(read(main).text, name=str(main))


@needs_m4
def test_m4_fails(tmp_path: Path) -> None:
    main = tmp_path / "mon.cf.m4"
    main.write_text("include(`nowhere.inc')\n")
    with pytest.raises(ConfigError, match=r"mon\.cf\.m4: m4 failed with exit code 1: .*nowhere\.inc"):
        read(main)


@needs_m4
def test_what_m4_warns_of_is_kept(tmp_path: Path) -> None:
    main = tmp_path / "mon.cf.m4"
    main.write_text("errprint(`have a look')maxprocs = 5\n")
    source = read(main)
    assert source.said == "have a look"
    assert parse(source.text).settings.maxprocs == 5


def test_another_preprocessor_gets_the_file_and_no_options(tmp_path: Path) -> None:
    main = tmp_path / "mon.cf"
    main.write_text("x")
    program = script(tmp_path / "shout", 'echo "# $# $1"')
    assert read(main, program).text == f"# 1 {main}\n".encode()


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere: cannot be read: No such file or directory$") as caught:
        read(tmp_path / "nowhere")
    assert caught.value.legacy == f"could not open cf file: {tmp_path}/nowhere: No such file or directory"


def test_no_such_preprocessor(tmp_path: Path) -> None:
    main = tmp_path / "mon.cf"
    main.touch()
    with pytest.raises(ConfigError, match=r"/nowhere/m4 cannot be run: No such file"):
        read(main, "/nowhere/m4")


def test_a_preprocessor_killed_by_a_signal(tmp_path: Path) -> None:
    main = tmp_path / "mon.cf"
    main.touch()
    with pytest.raises(ConfigError, match=r"killed by signal 9"):
        read(main, script(tmp_path / "dies", "kill -9 $$"))


def test_a_preprocessor_that_hangs_is_ended(tmp_path: Path) -> None:
    main = tmp_path / "mon.cf"
    main.touch()
    program = script(tmp_path / "hangs", f"sleep 1000 & echo $! > {tmp_path}/pid; wait")
    began = time.monotonic()
    with pytest.raises(ConfigError, match=r"took longer than 3s and was ended"):
        read(main, program, patience=3)
    assert time.monotonic() - began < 60
    child = Path("/proc", (tmp_path / "pid").read_text().strip())
    until(lambda: not child.exists() or "Z" in (child / "stat").read_text().split(), "the end of its child")


def test_a_preprocessor_that_floods_is_ended(tmp_path: Path) -> None:
    main = tmp_path / "mon.cf"
    main.touch()
    with pytest.raises(ConfigError, match=r"printed more than 64 MiB and was ended"):
        read(main, script(tmp_path / "floods", "exec yes"))
