# SPDX-License-Identifier: GPL-2.0-or-later
"""No words whatever make the parser fail in another way than it says; popt itself agrees on how words are split."""

from __future__ import annotations

import ctypes
import ctypes.util

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpvs.text import options
from bpvs.text.command import Command, parse_command, restore_words
from bpvs.text.errors import BadOption, UsageError
from bpvs.text.integers import parse_integer
from bpvs.text.names import Resolver
from bpvs.text.popt import NO_VALUE, OPTIONAL_VALUE, VALUE, OptionScanner

PATIENT = settings(deadline=None)  # a busy machine may stall longer than hypothesis would wait

POPT = ctypes.util.find_library("popt")
SPELLINGS = [f"--{name}" for name in options.LONG] + [f"-{letter}" for letter in options.SHORT]
VALUES = ["", "-", "--", "10.0.0.1:80", "10.0.0.2", "[2001:db8::1]:80", "80", "rr", "7", "-1", "master", "flag-1", "x"]
PIECES = st.sampled_from(SPELLINGS) | st.sampled_from(VALUES) | st.text(alphabet="-=aAtnpLx1", max_size=6)
WORDS = st.lists(PIECES, max_size=10)
FIRST = st.sampled_from(["-A", "-E", "-D", "-a", "-e", "-d", "-L", "-Z", "-S", "--set", "--start-daemon"])


def parsed(words: list[str]) -> Command | UsageError:
    try:
        return parse_command(words, "ipvsadm", Resolver())
    except UsageError as error:
        return error


@PATIENT
@given(FIRST, WORDS)
def test_words_are_a_command_or_a_usage_error(first: str, words: list[str]) -> None:
    result = parsed([first, *words])
    if isinstance(result, Command):
        assert result.name in options.COMMANDS
    else:
        assert str(result)
        assert result.code in (2, 255)


@PATIENT
@given(st.text(max_size=80))
def test_any_line_splits_into_words(line: str) -> None:
    words = restore_words(line)
    assert all(word and word != "ipvsadm" and not set(word) & set(" \t\r\n") for word in words)
    assert restore_words(" ".join(words)) == words


@PATIENT
@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 5), st.sampled_from(["", " ", "\t\n"]))
def test_integers_in_any_spelling(value: int, zeros: int, blank: str) -> None:
    text = f"{blank}{'-' if value < 0 else ''}{'0' * zeros}{abs(value)}"
    assert parse_integer(text, -(2**31), 2**31 - 1) == value
    assert parse_integer(f"{text} ", -(2**31), 2**31 - 1) is None


class _Row(ctypes.Structure):
    """struct poptOption of popt.h."""

    _fields_ = (
        ("longName", ctypes.c_char_p),
        ("shortName", ctypes.c_char),
        ("argInfo", ctypes.c_uint),
        ("arg", ctypes.c_void_p),
        ("val", ctypes.c_int),
        ("descrip", ctypes.c_char_p),
        ("argDescrip", ctypes.c_char_p),
    )


KINDS = {NO_VALUE: 0, VALUE: 1, OPTIONAL_VALUE: 1 | 0x10000000}  # POPT_ARG_NONE, _STRING, _STRING | _OPTIONAL
LONG = {"list": "list", "numeric": "numeric", "tcp": "tcp", "persistent": "persistent"}
SHORT = {"L": "list", "n": "numeric", "t": "tcp", "p": "persistent"}
TAKES = {"list": NO_VALUE, "numeric": NO_VALUE, "tcp": VALUE, "persistent": OPTIONAL_VALUE}
Scan = tuple[list[tuple[str, str | None]], list[str], str]


class Popt:
    """The real library with the four options above."""

    def __init__(self, library: str) -> None:
        self._lib = ctypes.CDLL(library)
        for name in ("poptGetArg", "poptBadOption", "poptStrerror"):
            getattr(self._lib, name).restype = ctypes.c_char_p
        for name in ("poptGetContext", "poptFreeContext"):
            getattr(self._lib, name).restype = ctypes.c_void_p
        self._value = ctypes.c_char_p()
        self._names = list(LONG)
        self._rows = (_Row * (len(LONG) + 1))()
        for row, (letter, name) in zip(self._rows, SHORT.items(), strict=False):
            row.longName, row.shortName, row.argInfo = name.encode(), letter.encode(), KINDS[TAKES[name]]
            row.arg = ctypes.addressof(self._value) if TAKES[name] != NO_VALUE else None
            row.val = self._names.index(name) + 1

    def scan(self, words: list[str]) -> Scan:
        argv = (ctypes.c_char_p * (len(words) + 2))(b"popt", *(word.encode() for word in words), None)
        context = ctypes.c_void_p(self._lib.poptGetContext(b"popt", len(words) + 1, argv, self._rows, 0))
        found: list[tuple[str, str | None]] = []
        leftovers: list[str] = []
        try:
            while True:
                self._value.value = None
                code = int(self._lib.poptGetNextOpt(context))
                if code < -1:
                    bad, why = self._lib.poptBadOption(context, 1), self._lib.poptStrerror(code)
                    return found, [], f"{bad.decode()}: {why.decode()}"
                if code == -1:
                    break
                value: bytes | None = ctypes.cast(self._value, ctypes.c_char_p).value
                found.append((self._names[code - 1], None if value is None else value.decode()))
            while (word := self._lib.poptGetArg(context)) is not None:
                leftovers.append(word.decode())
        finally:
            self._lib.poptFreeContext(context)
        return found, leftovers, ""


def ours(words: list[str]) -> Scan:
    scanner = OptionScanner(words, LONG, SHORT, TAKES)
    found: list[tuple[str, str | None]] = []
    try:
        found.extend(scanner)
    except BadOption as error:
        return found, [], str(error)
    return found, scanner.leftovers, ""


@pytest.mark.skipif(POPT is None, reason="libpopt is not installed: apt install libpopt0")
@PATIENT
@given(st.lists(st.text(alphabet="-=Lntpx", max_size=6) | st.sampled_from([f"--{n}" for n in LONG]), max_size=6))
def test_words_are_split_as_popt_does(words: list[str]) -> None:
    assert POPT is not None
    assert ours(words) == Popt(POPT).scan(words)
