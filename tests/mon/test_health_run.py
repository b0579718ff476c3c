# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs health run`: one check by a script or a built-in monitor, without a daemon."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from bpvs.cli import main

CONFIG = """\
basedir = {folder}
mondir = {folder}
statedir = {folder}

hostgroup web 127.0.0.1 10.0.0.2 *10.0.0.3
hostgroup gone 127.0.0.1

watch web
service script
interval 5s
monitor own.monitor -x
exclude_hosts 10.0.0.2
service alone
interval 5s
monitor own.monitor -x ;;
service slow
interval 5s
timeout 1s
monitor slow.monitor
service missing
interval 5s
monitor nosuch.monitor
service traps
traptimeout 5m

watch gone
service tcp
interval 5s
monitor tcp.monitor -p {port}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    for name, text in (
        ("own.monitor", 'echo "$MON_GROUP $MON_SERVICE: $*"; exit 3'),
        ("slow.monitor", "echo waiting; exec sleep 60"),
    ):
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)
    path = tmp_path / "mon.cf"
    path.write_text(CONFIG.format(folder=tmp_path, port=port))
    return path


def run(config: Path, *words: str) -> int:
    return main(["health", "run", "-c", str(config), *words])


def test_a_script_gets_the_hosts_that_the_daemon_would_give_it(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config, "web", "script") == 1
    assert capsys.readouterr().out == "web script: -x 127.0.0.1\n"
    assert run(config, "-v", "web", "alone") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "web alone: -x"
    assert lines[1].startswith(f"{config.parent}/own.monitor: exit code 3 after 0.")


def test_one_that_hangs_is_ended(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config, "-v", "web", "slow") == 1
    assert "exit code 124 after 1." in capsys.readouterr().out


def test_a_built_in_one_shows_its_phases(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config, "gone", "tcp") == 1
    assert capsys.readouterr().out == "127.0.0.1  fail  connection refused\n"
    assert run(config, "-v", "gone", "tcp") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "127.0.0.1  fail  connection refused"
    assert any(" ms" in line for line in lines[1:-1])
    assert lines[-1].startswith("builtin:tcp.monitor: exit code 1 after ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("web", "nosuch"), "there is no service nosuch of web; there are web script, web alone, "),
        (("web", "missing"), "nosuch.monitor: no executable of this name in mondir, and no built-in one"),
        (("web", "traps"), "web:traps has no monitor: only traps tell of it"),
    ],
)
def test_what_cannot_be_run_is_told(
    config: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    assert run(config, *words) == 1
    assert f"bpvs health: {sentence}" in capsys.readouterr().err


def test_a_configuration_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mon.cf").write_text("watch x\nnonsense\n")
    assert run(tmp_path / "mon.cf", "x", "y") == 1
    assert "mon.cf" in capsys.readouterr().err
    assert run(tmp_path / "nosuch.cf", "x", "y") == 1
    assert "nosuch.cf" in capsys.readouterr().err
