# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole files: what becomes of their sections, and what is said about what is odd."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bpvs.model.mon import Config, Key
from bpvs.text.mon.config import parse

TUTORIAL = Path(__file__).parents[3] / "golden" / "mon" / "01_tutorial"


def told(config: Config) -> str:
    return "\n".join(config.notices)


def test_the_tutorial_as_it_stands() -> None:
    config = parse((TUTORIAL / "tutorial_verbatim.cf").read_bytes())
    assert {name: group.hosts for name, group in config.hostgroups.items()} == {
        "HTTP1": ("192.168.122.50",),
        "HTTP2": ("192.168.122.51",),
    }
    assert list(config.services) == [Key("HTTP1", "http"), Key("HTTP2", "http")]
    for service in config.services.values():
        assert service.interval == 5
        assert service.monitor == ("http.monitor",)
        assert service.allow_empty_group
    assert config.settings.randstart == 60
    assert config.settings.authtype == ("pam",)
    assert told(config).count("without a blank line") == 1
    assert "mon.cf:16: 'watch HTTP1' begins a section" in told(config)
    assert "(also line 25)" in told(config)


def test_the_tutorial_with_blank_lines_says_the_same() -> None:
    verbatim = parse((TUTORIAL / "tutorial_verbatim.cf").read_bytes())
    spaced = parse((TUTORIAL / "tutorial_spaced.cf").read_bytes())
    assert replace(verbatim, notices=()) == replace(spaced, notices=())
    assert "blank line" not in told(spaced)
