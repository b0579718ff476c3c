# SPDX-License-Identifier: GPL-2.0-or-later
"""The recordings of the schedulers, in blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.property.ipvs_model import GOLDEN

REFUSED = "ERR(Connection refused)"
_PICK = re.compile(r"rs\d|" + re.escape(REFUSED))


@dataclass(frozen=True)
class Block:
    """`picks`: the servers of each line, None for a connection that was refused.

    `counts`: active and inactive connections of rs1, rs2, rs3 afterwards, if they were recorded.
    """

    title: str
    picks: tuple[tuple[str | None, ...], ...]
    counts: tuple[tuple[int, int], ...]

    @property
    def scheduler(self) -> str:
        found = re.search(r"scheduler=(\w+)", self.title)
        assert found is not None
        return found[1]

    @property
    def flags(self) -> frozenset[str]:
        found = re.search(r"-b (\S+)", self.title)
        return frozenset(found[1].split(",")) if found else frozenset()

    @property
    def weights(self) -> tuple[int, ...]:
        """Of rs1, rs2, rs3."""
        found = re.search(r"weights (?:rs1=)?(\d+) (?:rs2=)?(\d+) (?:rs3=)?(\d+)", self.title)
        same = re.search(r"weight (\d+) each", self.title)
        return tuple(map(int, found.groups())) if found else (int(same[1]) if same else 1,) * 3

    def __str__(self) -> str:
        return re.sub(r"\W+", "-", self.title).strip("-")


def blocks(file: str) -> list[Block]:
    """The recording's headings with what is below them."""
    texts = re.split(r"^## (.*)\n", (GOLDEN / file).read_text(), flags=re.MULTILINE)[1:]
    return [_block(title, text.splitlines()) for title, text in zip(texts[::2], texts[1::2], strict=True)]


def _block(title: str, lines: list[str]) -> Block:
    picks = [_PICK.findall(line) for line in lines if not line.startswith(("#", "  ->", "FWM"))]
    counts = [line.split()[-2:] for line in lines if line.startswith("  ->")]
    return Block(
        title,
        tuple(tuple(None if pick == REFUSED else pick for pick in line) for line in picks),
        tuple((int(active), int(inactive)) for active, inactive in counts),
    )
