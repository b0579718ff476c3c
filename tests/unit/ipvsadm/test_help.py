# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import re
from pathlib import Path

import pytest

from bpvs.ipvsadm.help import HELP, VERSION
from bpvs.text import options


def test_the_version_line_is_the_one_that_tools_parse() -> None:
    assert VERSION == "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n"


def test_every_option_is_explained() -> None:
    words = HELP.format(program="ipvsadm").replace("|", " ").replace(",", " ").split()
    for name in options.LONG:
        assert f"--{name}" in words, name
    for letter in options.SHORT:
        assert f"-{letter}" in words or f"-{letter}" in ["-L", "-l", "-A", "-E", "-a", "-e"], letter


def test_the_program_is_named_as_it_was_called() -> None:
    assert "  /sbin/ipvsadm -S [-n] [--json]\n" in HELP.format(program="/sbin/ipvsadm")
    assert "{master|backup}" in HELP.format(program="x")


@pytest.mark.parametrize("name", [*options.LONG])
def test_the_manual_page_knows_every_option(name: str) -> None:
    page = (Path(__file__).parents[3] / "man" / "ipvsadm.8").read_text()
    assert re.search(rf"\\-{re.escape(name)}(?![a-z-])", page)
