# SPDX-License-Identifier: GPL-2.0-or-later
"""The how-to pages: their commands are taken, their words are those of the tools, their length is read in one go."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpvs.cli.health import _parser as health_parser
from bpvs.cli.mark import _parser as mark_parser
from bpvs.cli.realserver import _parser as realserver_parser
from bpvs.cli.tours import TYPES, tour, watching
from bpvs.cli.tours.step import plain
from bpvs.cli.up import _parser as up_parser
from bpvs.ipvsadm.run import run
from bpvs.kernel import _abi
from bpvs.model.mon import Key
from bpvs.mon.lvs.choice import read
from bpvs.testing import FixedResolver, MemoryDirector
from bpvs.text.mon.config import parse

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted((ROOT / "docs/how-to").glob("*.md"))
LONGEST = 150
PROMPT = re.compile(r"^(?:\w+\$ )?")


def code_lines(page: Path) -> Iterator[str]:
    """The lines of its fenced blocks."""
    for block in page.read_text(encoding="utf-8").split("```")[1::2]:
        yield from block.splitlines()[1:]


def commands(page: Path, program: str) -> list[list[str]]:
    """The words behind the program's name, for each time that a block calls it."""
    lines = (PROMPT.sub("", line).split() for line in code_lines(page))
    return [words[1:] for words in lines if words and words[0] == program]


def sentences(page: Path) -> Iterator[str]:
    """What is said in one place: cells of tables, points of lists, paragraphs."""
    text = "\n".join(page.read_text(encoding="utf-8").split("```")[::2])
    for part in re.split(r"\n\n|\n\* | \| ", text):
        yield " ".join(part.split())


def named(page: Path | str) -> str:
    return page.stem if isinstance(page, Path) else page


def test_every_way_of_forwarding_has_a_page() -> None:
    assert set(TYPES) <= {page.stem for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_is_read_in_one_go(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").splitlines()) < LONGEST


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_ipvsadm_takes_the_commands_in_their_order(page: Path) -> None:
    director = MemoryDirector()
    for words in commands(page, "ipvsadm"):
        said = io.StringIO()
        code = run(words, "ipvsadm", io.StringIO(), io.StringIO(), said, lambda: director, FixedResolver({}, {}))
        assert (code, said.getvalue()) == (0, ""), words


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_bpvs_takes_the_commands(page: Path) -> None:
    for verb, *words in commands(page, "bpvs"):
        if verb == "realserver":
            realserver_parser().parse_args(words)
        elif verb == "up":
            up_parser().parse_args(words)
        elif verb == "mark":
            mark_parser().parse_args(words)
        elif verb == "health":
            health_parser().parse_args(words)
        else:
            assert (verb, words) == ("status", [])


def test_the_demos_second_half_is_on_its_page() -> None:
    text = (ROOT / "docs/how-to/monitoring.md").read_text(encoding="utf-8")
    assert re.findall(r"^(?:\w+)?\$ (.*)$", text, re.MULTILINE) == [step.command for step in watching.STEPS]
    assert watching.CONFIG in text


def test_the_configuration_of_the_page_is_one() -> None:
    text = (ROOT / "docs/how-to/monitoring.md").read_text(encoding="utf-8")
    config = parse(next(block for block in text.split("```")[1::2] if block.startswith("\nhostgroup")))
    assert (list(config.services), config.notices) == ([Key("web", "http")], ())
    for options in re.findall(r"^\| `alert lvs\.alert ?([^`]*)`", text, re.MULTILINE):
        read(options.split())


@pytest.mark.parametrize("kind", TYPES)
def test_a_page_shows_what_the_demo_shows(kind: str) -> None:
    page = ROOT / f"docs/how-to/{kind}.md"
    assert f"`make demo TYPE={kind}`" in page.read_text(encoding="utf-8")
    lines = [line for line in code_lines(page) if re.match(r" \w+ +(in|out) ", line)]
    way = iter(tour(kind).path)
    assert all(" ".join(line.split()[:2]) in way for line in lines), "hops that the demo does not show, in that order"
    drawn = [line.rstrip() for line in plain(tour(kind).picture).splitlines()]
    assert kind == "synproxy" or set(drawn) <= set(code_lines(page))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_status_is_said_to_show_it_can_show(page: Path) -> None:
    known = {name.partition("_")[2].lower().replace("_", " ") for name in _abi.VERDICT_NAMES.values()}
    for sentence in sentences(page):
        if "`bpvs status`" in sentence:
            assert set(re.findall(r'"([a-z ]+)"', sentence)) <= known, sentence
