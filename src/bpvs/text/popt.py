# SPDX-License-Identifier: GPL-2.0-or-later
"""Splitting words into options the way popt(3) does, which decides what old scripts may write.

Short options bundle (`-Lnc`) and carry their value attached (`-t10.0.0.1:80`, `-t=10.0.0.1:80`); long options take
`--x value` or `--x=value` and no abbreviation; an optional value is the next word unless that begins with `-`;
words that are no options are left over, and after `--` everything is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bpvs.text.errors import BadOption

NO_VALUE, VALUE, OPTIONAL_VALUE = range(3)


class OptionScanner:
    """Walks over the words once; `leftovers` is complete when the iteration has ended.

    `long` maps long names to option names, `short` maps letters to them, `values` maps option names to NO_VALUE,
    VALUE or OPTIONAL_VALUE. Iterating gives (option name, value or None); BadOption. `short` may be replaced on the
    way, also within a word: the next letter is looked up in the new one.
    """

    def __init__(
        self, words: list[str], long: Mapping[str, str], short: Mapping[str, str], values: Mapping[str, int]
    ) -> None:
        self._words = words
        self._long, self._values = long, values
        self.short = short
        self._next = 0
        self._bundle = ""  # the letters of a short word that are still to be read
        self.leftovers: list[str] = []

    @property
    def word(self) -> str:
        """The word read last, as messages quote it."""
        return self._words[self._next - 1]

    def __iter__(self) -> Iterator[tuple[str, str | None]]:
        while self._bundle or self._next < len(self._words):
            if self._bundle:
                yield self._short_option()
                continue
            word = self._words[self._next]
            self._next += 1
            if word == "--":
                self.leftovers += self._words[self._next :]
                self._next = len(self._words)
            elif not word.startswith("-") or word == "-":
                self.leftovers.append(word)
            elif word.startswith("--"):
                name, equals, value = word[2:].partition("=")
                yield self._option(self._long.get(name), value if equals else None)
            else:
                self._bundle = word[1:]

    def _short_option(self) -> tuple[str, str | None]:
        letter, rest = self._bundle[0], self._bundle[1:]
        option = self.short.get(letter)
        if rest.startswith("="):
            self._bundle = ""
            return self._option(option, rest[1:])
        takes_rest = option is not None and self._values[option] != NO_VALUE
        self._bundle = "" if takes_rest else rest
        return self._option(option, rest if takes_rest and rest else None)

    def _option(self, option: str | None, attached: str | None) -> tuple[str, str | None]:
        if option is None:
            raise BadOption(self.word, "unknown option")
        kind = self._values[option]
        if kind == NO_VALUE:
            if attached is not None:
                raise BadOption(self.word, "option does not take an argument")
            return option, None
        if attached is not None:
            return option, attached
        if self._next == len(self._words):
            if kind == VALUE:
                raise BadOption(self.word, "missing argument")
            return option, None
        if kind == OPTIONAL_VALUE and self._words[self._next].startswith("-"):
            return option, None
        self._next += 1
        return option, self.word
