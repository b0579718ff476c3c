# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from bpvs.model.mon import Settings
from bpvs.mon.command import parse_command
from bpvs.mon.configuration import Setup, in_force, load
from bpvs.text.mon.errors import ConfigError


def setup(directory: Path, text: str, *options: str) -> Setup:
    (directory / "mon.cf").write_text(text)
    return load(parse_command(["-c", "mon.cf", *options], directory))


def test_the_command_line_wins_over_the_file_and_both_over_the_default(tmp_path: Path) -> None:
    text = "histlength = 11\nmaxprocs = 12\n"
    settings = setup(tmp_path, text, "-k", "99").config.settings
    assert (settings.histlength, settings.maxprocs, settings.dep_recur_limit) == (99, 12, 10)
    assert (settings.monitor_timeout, settings.alert_timeout, settings.cltimeout) == (300, 60, 30)


@pytest.mark.parametrize("name", [field.name for field in fields(Settings)])
def test_every_setting_comes_through_from_either_side(name: str) -> None:
    given = replace(Settings(), **{name: "x"})  # type: ignore[arg-type]
    assert getattr(in_force(given, Settings()), name) == "x"
    assert getattr(in_force(Settings(), given), name) == "x"


def test_directories_are_known_as_absolute_paths(tmp_path: Path) -> None:
    settings = setup(tmp_path, "basedir = b\nstatedir = s\n", "-B", ".").config.settings
    assert (settings.basedir, settings.statedir) == (str(tmp_path / "b"), str(tmp_path / "b/s"))
    assert settings.cfbasedir == str(tmp_path)


def test_ports_have_numbers(tmp_path: Path) -> None:
    settings = setup(tmp_path, "", "-t", "0").config.settings
    assert settings.serverport
    assert settings.trapport == 0


def test_a_file_that_is_wrong_or_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mon\.cf:1: 'x' is no setting"):
        setup(tmp_path, "x = 1\n")
    (tmp_path / "mon.cf").unlink()
    with pytest.raises(ConfigError, match=r"mon\.cf: cannot be read: No such file or directory"):
        load(parse_command(["-c", "mon.cf"], tmp_path))


def test_m4_reads_the_file_first_if_asked_to(tmp_path: Path) -> None:
    text = "define(`LENGTH', `7')dnl\nhistlength = LENGTH\n"
    assert setup(tmp_path, text, "-M").config.settings.histlength == 7
