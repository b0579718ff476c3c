# SPDX-License-Identifier: GPL-2.0-or-later
"""What the pages say is what the code has: verdicts, maps, headers, verbs, options, commands, files, figures."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from bpvs.cli import VERBS, main
from bpvs.cli.tours.tutorial import SAVED, STEPS, TABLE
from bpvs.kernel import _abi

ROOT = Path(__file__).resolve().parents[3]
PAGES = (
    *("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/differs-from-ipvs.md"),
    *("docs/reference/json.md", "docs/reference/python.md", "docs/reference/settings.md"),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs/how-to").glob("*.md")),
)
HEADERS = ROOT / "bpf/include/bpvs"

# What a backquoted file name may count from.
FOLDERS = (ROOT, ROOT / "src/bpvs", ROOT / "bpf", HEADERS)
# The kernel's files, and places to be filled in by whoever adds something.
NOT_OURS = re.compile(r"ip_vs_\w+\.c|.*[<>*].*|.*\bxy\b.*|.*test_xy\.py")

# Kernel memory of a hash element beside key and value, of its bucket in a map of a power of two elements, of a queue's.
ELEMENT, BUCKET, QUEUED = 48, 16, 4


@cache
def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose(name: str) -> str:
    """A page in one line: a sentence may be wrapped anywhere."""
    return " ".join(page(name).split())


def first_cells(name: str) -> set[str]:
    """The backquoted names in the first column of a page's tables."""
    rows = re.findall(r"^\| (`[^|]*) \|", page(name), re.MULTILINE)
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row)}


def verdicts() -> list[str]:
    found = re.findall(
        r"^\t((?:PASS|DROP|ANSWER|HOLD)_\w+|FORWARDED) =\s+\d+,", page("bpf/include/bpvs/verdicts.h"), re.MULTILINE
    )
    assert set(found) | {"VERDICT_COUNT"} == set(_abi.VERDICT_NAMES.values())
    return found


def maps() -> list[str]:
    sources = page("bpf/include/bpvs/maps.h") + page("bpf/housekeeper.bpf.c")
    return re.findall(r'^\} (\w+) SEC\("\.maps"\);', sources, re.MULTILINE)


def headers() -> list[str]:
    return sorted(str(path.relative_to(HEADERS)) for path in HEADERS.rglob("*.h"))


def test_there_is_something_to_compare() -> None:
    assert len(verdicts()) >= 17
    assert len(maps()) >= 17
    assert len(headers()) >= 20


@pytest.mark.parametrize("name", verdicts())
def test_the_architecture_describes_every_verdict(name: str) -> None:
    assert name in first_cells("ARCHITECTURE.md")


def test_the_architecture_describes_no_verdict_that_is_gone() -> None:
    told = {name for name in first_cells("ARCHITECTURE.md") if name.startswith(("PASS_", "DROP_", "ANSWER_", "HOLD_"))}
    assert told <= set(verdicts())


@pytest.mark.parametrize("name", [name for name in verdicts() if name != "FORWARDED"])
def test_the_manual_describes_every_verdict_as_status_prints_it(name: str) -> None:
    kind, _, words = name.lower().partition("_")
    begins = {"pass": "Passed on to", "drop": "Dropped:", "answer": "Answered in place", "hold": "Held in the siding"}
    section = page("man/bpvs.8").partition(f"\n{begins[kind]}")[2].partition("\n.El")[0]
    assert f"\n.It {words.replace('_', ' ')}\n" in section


@pytest.mark.parametrize("name", maps())
def test_the_architecture_has_every_map(name: str) -> None:
    assert name in first_cells("ARCHITECTURE.md")


@pytest.mark.parametrize("name", headers())
def test_the_architecture_names_every_header(name: str) -> None:
    assert name in first_cells("ARCHITECTURE.md")


@pytest.mark.parametrize("verb", VERBS)
def test_the_manual_has_every_verb_with_its_options(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    options = set(re.findall(r"--([a-z]+)", capsys.readouterr().out.partition("options:")[2])) - {"help"}
    body = page("man/bpvs.8").partition("\n.It Cm " + verb + "\n")[2].partition("\n.It Cm ")[0]
    assert body
    section = page("man/bpvs.8").partition(".Sh VERBS")[2].partition(".Sh PACKETS")[0]
    assert options <= set(re.findall(r"\.It Fl \\-([a-z]+)", section))
    synopsis = page("man/bpvs.8").partition(".Sh SYNOPSIS")[2].partition(".Sh DESCRIPTION")[0]
    assert options <= set(re.findall(r"Fl \\-([a-z]+)", synopsis.partition(f".Cm {verb}\n")[2].partition(".Nm")[0]))


def test_the_tutorial_is_the_demos() -> None:
    shown = re.findall(
        r"^\$ (.*)$", page("README.md").partition("## The tutorial")[2].partition("\n## ")[0], re.MULTILINE
    )
    assert shown == [step.command for step in STEPS]


@pytest.mark.parametrize("output", [TABLE, SAVED], ids=["table", "saved"])
def test_the_tutorials_output_is_the_demos(output: str) -> None:
    assert "\n".join(line.rstrip() for line in output.splitlines()) in page("README.md")


def test_the_readme_stays_short() -> None:
    assert len(page("README.md").splitlines()) < 200


@pytest.mark.parametrize("name", PAGES)
def test_commands_of_make_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", page("Makefile"), re.MULTILINE))
    told = re.findall(r"(?:`|^)make ([a-z ]+)", page(name), re.MULTILINE)
    assert {word for words in told for word in words.split()} <= targets


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page(name)):
        file, _, anchor = target.partition("#")
        if file.startswith("http"):
            continue
        path = (ROOT / name).parent / file if file else ROOT / name
        assert path.exists(), target
        titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        known = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
        assert not anchor or anchor in known, target


@pytest.mark.parametrize("name", PAGES)
def test_files_that_are_named_exist(name: str) -> None:
    for file in re.findall(r"`([\w./<>*-]+\.(?:py|h|c|md|toml|8))`", page(name)):
        assert NOT_OURS.fullmatch(file) or any((folder / file).exists() for folder in FOLDERS), file


def test_the_memory_of_a_connection_is_what_its_maps_take() -> None:
    element = ELEMENT + _abi.FLOW_KEY.size + _abi.FLOW.size + BUCKET
    size = _abi.CONN.size + 2 * element + QUEUED
    assert f"A connection takes {size} bytes" in prose("ARCHITECTURE.md")
    assert f"A connection takes {size} bytes" in prose("man/bpvs.8")


@pytest.mark.parametrize(
    ("limit", "words"),
    [(_abi.MAX_SERVICES - 1, "services"), (_abi.MAX_DESTS - 1, "servers"), (_abi.MAX_SERVERS, "places in lists")],
)
def test_the_limits_are_those_of_the_contract(limit: int, words: str) -> None:
    assert f"{limit:,} {words}" in prose("docs/differs-from-ipvs.md")


@pytest.mark.parametrize(
    ("header", "constant", "words", "pages"),
    [
        (
            "fragment.h",
            "FRAGMENT_WAIT",
            "{} ms",
            ["ARCHITECTURE.md", "docs/differs-from-ipvs.md", "man/bpvs.8"],
        ),
        (
            "answer.h",
            "ANSWERS_PER_SECOND",
            "{:,} a second",
            ["ARCHITECTURE.md", "docs/differs-from-ipvs.md", "man/bpvs.8"],
        ),
        ("synproxy.h", "PROXY_MSS_IPV4", "{:,}", ["docs/how-to/synproxy.md"]),
        ("synproxy.h", "PROXY_MSS_IPV6", "{:,}", ["docs/how-to/synproxy.md"]),
        ("synproxy.h", "PROXY_SCALE", "scale of {}", ["docs/how-to/synproxy.md"]),
        ("forward/tun.h", "GUE_PORT_FIRST", "{:,}", ["docs/how-to/tun.md"]),
    ],
)
def test_figures_are_those_of_the_data_path(header: str, constant: str, words: str, pages: list[str]) -> None:
    found = re.search(rf"^#define {constant} (\d+)\b", page(f"bpf/include/bpvs/{header}"), re.MULTILINE)
    assert found
    for name in pages:
        assert words.format(int(found[1])) in prose(name), name


def test_ports_are_counted_as_the_books_do() -> None:
    ports = f"{_abi.LAST_PORT - _abi.FIRST_PORT + 1:,}"
    for name in ("ARCHITECTURE.md", "CHANGELOG.md", "docs/how-to/fullnat.md", "man/ipvsadm.8"):
        assert ports in prose(name), name
