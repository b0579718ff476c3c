# SPDX-License-Identifier: GPL-2.0-or-later
"""The `bpvs` command: its verbs, its exit codes, its colours."""

from __future__ import annotations

import io
import subprocess
import sys
from importlib.util import find_spec

import pytest

import bpvs
from bpvs.cli import VERBS, main
from bpvs.cli.style import Style, style_for


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"], ["help"]])
def test_help_names_every_verb(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    for name, verb in VERBS.items():
        assert f"bpvs {name} " in shown
        assert verb.summary in shown


@pytest.mark.parametrize("arguments", [["-v"], ["--version"]])
def test_version(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"bpvs {bpvs.__version__}\n"


def test_an_unknown_verb_is_told_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dance"]) == 2
    assert capsys.readouterr().err == f"bpvs: there is no verb 'dance'; there are {', '.join(VERBS)}\n"


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_its_module(name: str) -> None:
    assert find_spec(VERBS[name].module) is not None


def test_verbs_are_imported_when_used() -> None:
    code = "import sys, bpvs.cli; print([m for m in sys.modules if m.startswith('bpvs.cli.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_colour_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert style_for(Terminal()) == Style(colour=True, unicode=True)
    assert style_for(io.StringIO()).colour is False
    monkeypatch.setenv("NO_COLOR", "1")
    assert style_for(Terminal()).colour is False
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert style_for(Terminal()).colour is False


def test_paint() -> None:
    assert Style(colour=True, unicode=True).paint("x", "green", "bold") == "\x1b[32;1mx\x1b[0m"
    assert Style(colour=True, unicode=True).paint("", "green") == ""
    assert Style(colour=False, unicode=True).paint("x", "green") == "x"
