# SPDX-License-Identifier: GPL-2.0-or-later
"""auth.cf and userfile: what is allowed, and what is said about lines that allow nothing."""

from __future__ import annotations

import pytest

from bpvs.model.mon.auth import NOBODY, TrapSender
from bpvs.text.mon.auth import parse_auth, parse_users
from bpvs.text.mon.errors import ConfigError

AUTH = """\
# users and what they may do
list: AUTH_ANY
term: bob
Disable : alice ,carol
get: all,!alice
set: !AUTH_ANY, all
list: root
trap section
127.0.0.1 trapper tpXOGnTcd7hjs
# anybody there
* * *
  command   section
test: Bob,
"""


@pytest.mark.parametrize(
    ("user", "command", "may"),
    [
        (None, "list", False),
        ("anybody", "list", True),
        ("bob", "term", True),
        ("alice", "term", False),
        (None, "term", False),
        ("alice", "disable", True),
        ("carol", "disable", True),
        ("bob", "disable", False),
        (None, "get", True),
        ("bob", "get", True),
        ("alice", "get", False),
        (None, "set", True),
        ("bob", "set", False),
        ("Bob", "test", True),
        ("bob", "test", False),
        ("", "list", False),
        ("alice", "reset", False),
    ],
)
def test_who_may_do_what(user: str | None, command: str, may: bool) -> None:
    assert parse_auth(AUTH).may(user, command) is may


def test_no_file_lets_nobody_do_anything() -> None:
    assert not NOBODY.may(None, "list")
    assert not NOBODY.may("root", "list")
    assert parse_auth("") == NOBODY


def test_trap_senders() -> None:
    assert parse_auth(AUTH).senders == (TrapSender("127.0.0.1", "trapper", "tpXOGnTcd7hjs"), TrapSender("*", "*", "*"))


def test_a_trap_line_with_too_few_words_lets_nobody_in() -> None:
    auth = parse_auth("trap section\nonly two\n127.0.0.1 a b\n")
    assert auth.senders == (TrapSender("127.0.0.1", "a", "b"),)
    assert auth.notices == ("auth.cf:2: 2 words let nobody send traps: write a host, a user and a crypt hash",)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("command section\nlist all\n", 2, "'list all' names no command and its users"),
        ("bogus section\nlist: all\n", 1, "'bogus section' names no command and its users"),
        ("list: all\n\nget: bob alice\n", 3, "'bob alice' is no user: put commas between users"),
        ("list: bob, !all\n", 1, "!all denies nobody"),
        ("list: all, !\n", 1, "! denies nobody"),
    ],
)
def test_lines_that_are_refused(text: str, line: int, says: str) -> None:
    with pytest.raises(ConfigError, match=f"^auth.cf:{line}: {says}") as caught:
        parse_auth(text)
    assert caught.value.line == line


def test_mons_own_words() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_auth("command section\nlist all\n")
    assert caught.value.legacy == "could not parse line 2 of auth file"


def test_users() -> None:
    text = b"# users\n\nalice : alZf3JKL3RJmk\nbob:$1$salt$x\r\nalice:second\nk\xe4fer:h\n"
    assert parse_users(text) == {"alice": "second", "bob": "$1$salt$x", "k\udce4fer": "h"}


def test_a_line_without_a_hash_is_named_but_not_quoted() -> None:
    with pytest.raises(ConfigError, match=r"^users:2: ") as caught:
        parse_users("a:b\n$6$secret\n", name="users")
    assert "secret" not in str(caught.value)
