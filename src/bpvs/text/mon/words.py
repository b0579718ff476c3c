# SPDX-License-Identifier: GPL-2.0-or-later
"""Words as a shell splits them, and no more than that: `$`, `~`, `*`, `;` and `|` mean themselves."""

from __future__ import annotations

import re

from bpvs.text.mon.errors import Wrong

# A word is made of pieces without a gap: plain text, an escaped character, text in single or in double quotes.
_PIECE = re.compile(
    r"""
    (?P<gap>\s+) | (?P<plain>[^\s'"\\]+) | \\(?P<escaped>.)
    | '(?P<single>[^']*)' | "(?P<double>(?:[^"\\]|\\.)*)"
    """,
    re.ASCII | re.DOTALL | re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def split_words(text: str) -> tuple[str, ...]:
    """The words of a `monitor` or `alert` line; Wrong if a quote is open at the end.

    A backslash takes the next character as it is, but in single quotes it is a character itself.
    """
    words: list[str] = []
    word: str | None = None  # None: between words, so that "" can be one
    position = 0
    while position < len(text):
        piece = _PIECE.match(text, position)
        if piece is None:
            raise _unbalanced(text[position])
        position = piece.end()
        if piece["gap"] is None:
            word = (word or "") + _meaning(piece)
        elif word is not None:
            words.append(word)
            word = None
    if word is not None:
        words.append(word)
    return tuple(words)


def _meaning(piece: re.Match[str]) -> str:
    if piece["double"] is not None:
        return _ESCAPED.sub(r"\1", piece["double"])
    return str(piece[piece.lastgroup or ""])


def _unbalanced(character: str) -> Wrong:
    if character == "\\":
        return Wrong("nothing follows the last backslash", "write \\\\ for a backslash")
    return Wrong(f"the quote {character} is not closed", f"close it, or write \\{character} for the character")
