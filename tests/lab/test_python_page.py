# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/reference/python.md: every example does what the page says, on a real data plane."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from bpvs import Director, DirectorError
from bpvs.lab.network import Network
from bpvs.lab.shell import run
from bpvs.lab.topology import Routed

pytestmark = pytest.mark.root

PAGE = Path(__file__).parents[2] / "docs/reference/python.md"
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
VISITED = "## Counters and rates"  # the section before which four clients came


def sections() -> list[tuple[str, list[tuple[str, str]]]]:
    """Titles, each with its examples and what they print."""
    parts = re.split(r"^(?=## )", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [(part.partition("\n")[0], EXAMPLE.findall(part)) for part in parts]


def test_every_example_prints_what_the_page_shows(net: Routed) -> None:
    scope: dict[str, object] = {"__name__": "page"}
    net.director.is_director = True
    seen = 0
    for title, examples in sections():
        if title == VISITED:
            for _ in range(4):
                net.client.curl(f"http://{net.vip}/").checked()
        for code, expected in examples:
            said = io.StringIO()
            with net.director.inside(), redirect_stdout(said):
                exec(code.replace('"blue"', repr(net.director.name)), scope)  # noqa: S102 - our own page
            assert said.getvalue() == expected, code
            seen += 1
    assert seen == PAGE.read_text(encoding="utf-8").count("```python") >= 12


def test_a_director_of_another_namespace_works_there_alone(net: Routed) -> None:
    """The thread is at home again after each call, and inside the block."""
    here = Director()
    there = Director(netns=net.director.name)
    assert there.cookie != here.cookie
    net.director.is_director = True
    before = here.overview()
    there.up(["ext"], "tc")
    with there.change() as table:
        assert Director().cookie == here.cookie
        assert len(table) == 0
    there.set_sysctls({"sloppy_tcp": 1})
    overview = there.overview()
    assert overview is not None
    assert {one.name for one in overview.interfaces} >= {"lo", "ext"}
    assert (here.overview(), Director().cookie) == (before, here.cookie)
    assert there.down()
    assert Director(netns=f"/run/netns/{net.director.name}").cookie == there.cookie


def renew(name: str) -> None:
    """Another namespace under the same name."""
    for verb in ("delete", "add"):
        run(["ip", "netns", verb, name]).checked()


def test_a_namespace_that_is_another_one_under_the_same_name() -> None:
    with Network() as network:
        name = network.host("again").name
        director = Director(netns=name)
        other = f"^{name} is not the network namespace any more that it was$"
        change = director.change()
        with pytest.raises(DirectorError, match=other), change:
            renew(name)
        assert not change._locks
        with pytest.raises(DirectorError, match=other):
            director.clear()
        assert Director(netns=name).cookie != director.cookie


def test_a_namespace_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        Director(netns="bpvs-there-is-no-such-name")
