# SPDX-License-Identifier: GPL-2.0-or-later
"""Words of mon's lines: whatever a shell would quote comes back, and whatever is written is words or a sentence."""

from __future__ import annotations

import shlex

from hypothesis import given
from hypothesis import strategies as st

from bpvs.text.mon.errors import Wrong
from bpvs.text.mon.words import split_words

words = st.lists(st.text(max_size=12))
tricky = st.text(st.sampled_from("ab \t'\"\\$*;|"), max_size=30)


@given(words)
def test_what_a_shell_quotes_comes_back(words: list[str]) -> None:
    assert split_words(shlex.join(words)) == tuple(words)


@given(st.lists(st.text(max_size=12).filter(lambda word: "\n" not in word)))
def test_in_double_quotes_too(words: list[str]) -> None:
    quoted = ['"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words]
    assert split_words("\t".join(quoted)) == tuple(words)


@given(tricky)
def test_words_or_a_sentence(text: str) -> None:
    """It refuses what a shell refuses; words differ only where a backslash in double quotes means itself to a shell."""
    try:
        expected = shlex.split(text)
    except ValueError:
        expected = None
    try:
        found = list(split_words(text))
    except Wrong:
        found = None
    assert (found is None) is (expected is None)
    if expected is not None and ('"' not in text or "\\" not in text):
        assert found == expected
