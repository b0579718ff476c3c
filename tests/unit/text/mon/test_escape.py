# SPDX-License-Identifier: GPL-2.0-or-later
"""Escaped texts: one ASCII word, and the same text again."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpvs.text.mon.escape import decode, encode, escape, unescape

TEXTS = st.binary().map(decode)  # every text that bytes make


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("", ""),
        ("w1.example w2.example", r"w1.example\20w2.example"),
        ("\"refused\" 'x'", r"\22refused\22\20\27x\27"),
        ("tab\tline\n", r"tab\09line\0a"),
        ("ü\x7f", r"\c3\bc\7f"),
    ],
)
def test_what_is_no_plain_word_is_two_hex_digits(text: str, escaped: str) -> None:
    assert escape(text) == escape(text, doubling=True) == escaped
    assert unescape(escaped) == text


def test_a_backslash_is_doubled_where_asked() -> None:
    assert escape("back\\slash") == "back\\slash"
    assert escape("back\\slash", doubling=True) == "back\\\\slash"


@pytest.mark.parametrize("text", ["\\", "\\x", "\\2", "\\2G", "\\AB", "100\\%"])
def test_a_backslash_before_anything_else_is_itself(text: str) -> None:
    assert unescape(text) == text


@given(TEXTS)
def test_a_doubled_text_comes_back(text: str) -> None:
    escaped = escape(text, doubling=True)
    assert re.fullmatch(r"[!-~]*", escaped)
    assert "'" not in escaped
    assert '"' not in escaped
    assert unescape(escaped) == text


@given(TEXTS.filter(lambda text: "\\" not in text))
def test_a_text_without_backslash_comes_back(text: str) -> None:
    assert unescape(escape(text)) == text


@given(st.binary())
def test_any_bytes_are_a_text(data: bytes) -> None:
    assert encode(decode(data)) == data
    unescape(decode(data))
