# SPDX-License-Identifier: GPL-2.0-or-later
"""Passwords: where they come from, and that nothing shows them."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from bpvs.mon.monitors.credentials import Credentials, Secret, kept_in, told
from bpvs.mon.monitors.options import parse
from bpvs.mon.monitors.verdict import Sick
from bpvs.text.errors import UsageError

WORD = "pa55word"


def test_a_password_shows_only_when_it_is_read() -> None:
    options, _ = parse("x.monitor", Credentials, ["--username", "u", "--password", WORD])
    assert options.password() == WORD
    assert WORD not in f"{options!r} {options} {options.given} {vars(options)}"


@pytest.mark.parametrize(
    "arguments",
    [
        [f"--pasword={WORD}"],
        [f"-q{WORD}"],
        ["--password", WORD, "--password-file", "/x"],
        ["--password", f"{WORD}\n"],
        [f"--tls={WORD}"],
    ],
)
def test_no_mistake_shows_it(arguments: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse("x.monitor", Credentials, arguments)
    assert WORD not in "".join(traceback.format_exception(caught.value))


def test_a_file_tells_its_first_line(tmp_path: Path) -> None:
    file = tmp_path / "password"
    for content, password in (("one\ntwo\n", "one"), ("windows\r\n", "windows"), ("", ""), (" kept ", " kept ")):
        file.write_text(content, newline="")
        assert kept_in(str(file)).read() == password


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"\xff\xfe", "it is not UTF-8"), (b"a\x00b", "has control characters")]
)
def test_a_file_that_holds_none(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(Sick, match=sentence):
        kept_in(str(file)).read()
    with pytest.raises(ValueError, match="wants the path"):
        kept_in("")


def test_no_password_at_all() -> None:
    assert Credentials().password() == told("").read() == Secret().read() == ""
