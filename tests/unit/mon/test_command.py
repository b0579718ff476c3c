# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from bpvs.model.mon import Settings
from bpvs.mon.command import CommandLine, parse_command

HERE = Path("/here")
DEFAULT = CommandLine(config=Path("/etc/mon/mon.cf"), settings=Settings(), directory=HERE)


def test_without_options_everything_is_as_the_file_says() -> None:
    assert parse_command([], HERE) == DEFAULT
    assert DEFAULT.load == ("disabled", "opstatus")


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (["-a", "/a:b"], Settings(alertdir="/a:b")),
        (["-A", "who"], Settings(authfile="who")),
        (["-b", "/b", "-D", "s", "-L", "l"], Settings(basedir="/b", statedir="s", logdir="l")),
        (["-k", "7", "-m", "20"], Settings(histlength=7, maxprocs=20)),
        (["-O", "local3", "-P", ""], Settings(syslog_facility="local3", pidfile="")),
        (["-p", "0", "-t", "2584"], Settings(serverport=0, trapport=2584)),
        (["-r", "1.5m", "-s", "/mon.d"], Settings(randstart=90.0, mondir="/mon.d")),
        (["--alertdir", "/a", "-scriptdir", "/s", "-port=9"], Settings(alertdir="/a", mondir="/s", serverport=9)),
    ],
)
def test_options_set_what_lines_of_the_file_set(words: list[str], settings: Settings) -> None:
    assert parse_command(words, HERE).settings == settings


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["-B", "/etc/other"], "/etc/other/mon.cf"),
        (["-B", "other"], "/here/other/mon.cf"),
        (["-B", "/etc/other", "-c", "my.cf"], "/here/my.cf"),
        (["--check"], "/etc/mon/mon.cf"),
        (["--check", "my.cf"], "/here/my.cf"),
    ],
)
def test_where_the_configuration_is(words: list[str], path: str) -> None:
    command = parse_command(words, HERE)
    assert command.config == Path(path)
    assert command.is_check == ("--check" in words)


@pytest.mark.parametrize(
    ("words", "load"),
    [
        (["-l"], ("disabled",)),
        (["-l", "disabled"], ("disabled",)),
        (["-l", "opstatus"], ("opstatus",)),
        (["-l", "all"], ("disabled", "opstatus")),
        (["-l", "none", "-f"], ()),
    ],
)
def test_which_state_is_taken_over(words: list[str], load: tuple[str, ...]) -> None:
    assert parse_command(words, HERE).load == load


def test_the_other_options() -> None:
    command = parse_command(["-f", "-S", "-d", "-d", "-i", "5", "-M"], HERE)
    assert (command.is_daemon, command.is_stopped, command.is_debug) == (True, True, True)
    assert (command.tick, command.m4) == (5.0, "m4")
    assert parse_command(["-M", "/usr/bin/m4"], HERE).m4 == "/usr/bin/m4"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-x"], "mon: unrecognized arguments: -x; `mon --help` tells the options"),
        (["-r", "60"], "mon: argument -r/--randstart: '60' is no time: write 5s, 2m, 1.5h or 1d"),
        (["-p", "http"], "mon: argument -p/--port: 'http' is no number"),
        (["-O", "nobody"], "mon: argument -O/--syslogfacility: 'nobody' is unknown: write one of auth, "),
    ],
)
def test_what_is_wrong_ends_with_a_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parse_command(words, HERE)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(sentence)


@pytest.mark.parametrize("option", ["-h", "-v", "--version", "--help"])
def test_help_and_version_are_no_errors(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse_command([option], HERE)
    assert end.value.code == 0
    assert "mon" in capsys.readouterr().out
