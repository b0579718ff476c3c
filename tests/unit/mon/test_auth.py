# SPDX-License-Identifier: GPL-2.0-or-later
"""Logins: who is let in by which authtype."""

from __future__ import annotations

import asyncio
import os
import pwd
from pathlib import Path

import pytest

from bpvs.mon import crypt
from bpvs.mon.auth import Authenticator

HASHES = {
    "alicepw": "alZf3JKL3RJmk",
    "bobpw": "$1$saltsalt$TDWUYynpoDGRKYbYWnqt4/",
    "davepw": "$6$saltsalt$Y4mMAaWU.hm1kEXQxIG/B2RFU5IwQbZL0XMVAYWo/bJ5mLvjKOiML2YnP3DRa6FHW/c5lLoPxRcxLg1T4lXtk.",
}


class Door:
    """An authenticator with its log."""

    def __init__(self, folder: Path, *types: str, userfile: str = "", shadow: str = "") -> None:
        self.logs: list[tuple[str, str]] = []
        (folder / "userfile").write_text(userfile)
        (folder / "shadow").write_text(shadow)
        self.authenticator = Authenticator(
            types,
            lambda level, text: self.logs.append((level, text)),
            userfile=folder / "userfile",
            shadow=folder / "shadow",
            pamservice="bpvs-no-such-service",
        )

    def accepts(self, user: str, password: str, address: str = "192.0.2.1") -> bool:
        return asyncio.run(self.authenticator.accepts(user, password, address))


@pytest.mark.parametrize("password", ["alicepw", "bobpw", "davepw"])
def test_hashes_of_every_age(password: str) -> None:
    assert crypt.matches(password, HASHES[password])
    assert not crypt.matches(password + "x", HASHES[password])
    assert not crypt.matches("", HASHES[password])


@pytest.mark.parametrize("hashed", ["", "*", "!", "x", "!$6$a$b", "$9$nothing", "\0", "*0", "*1"])
def test_what_is_no_hash_matches_nothing(hashed: str) -> None:
    for password in ("", "x", hashed, "*0"):
        assert not crypt.matches(password, hashed)


@pytest.mark.parametrize(
    ("user", "password", "is_right"),
    [
        ("alice", "alicepw", True),
        ("bob", "bobpw", True),
        ("dave", "davepw", True),
        ("alice", "bobpw", False),
        ("alice", "", False),
        ("", "alicepw", False),
        ("nobody", "alicepw", False),
        ("ALICE", "alicepw", False),
    ],
)
def test_userfile(tmp_path: Path, user: str, password: str, is_right: bool) -> None:
    text = f"# users\n\nalice : {HASHES['alicepw']}\nbob:{HASHES['bobpw']}\ndave:{HASHES['davepw']}\n"
    assert Door(tmp_path, "userfile", userfile=text).accepts(user, password) is is_right


def test_shadow(tmp_path: Path) -> None:
    text = (
        f"root:*:1::::::\nbob:{HASHES['bobpw']}:19000:0:99999:7:::\nlocked:!{HASHES['bobpw']}:1::::::\nempty::1::::::\n"
    )
    assert Door(tmp_path, "shadow", shadow=text).accepts("bob", "bobpw")
    for user in ("locked", "empty", "root", "nobody"):
        assert not Door(tmp_path, "shadow", shadow=text).accepts(user, "bobpw")


def test_getpwnam_looks_behind_the_x(tmp_path: Path) -> None:
    user = pwd.getpwuid(os.getuid()).pw_name
    text = f"{user}:{HASHES['bobpw']}:1::::::\n"
    assert Door(tmp_path, "getpwnam", shadow=text).accepts(user, "bobpw")
    assert not Door(tmp_path, "getpwnam", shadow=text).accepts("no-such-user-here", "bobpw")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "127.1.2.3"])
def test_trustlocal_needs_no_password(tmp_path: Path, address: str) -> None:
    assert Door(tmp_path, "trustlocal").accepts("anyone", "", address)
    assert not Door(tmp_path, "trustlocal").accepts("", "x", address)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "fe80::1%eth0"])
def test_trustlocal_trusts_nobody_else(tmp_path: Path, address: str) -> None:
    assert not Door(tmp_path, "trustlocal").accepts("anyone", "x", address)


def test_the_kinds_are_tried_from_left_to_right(tmp_path: Path) -> None:
    door = Door(tmp_path, "shadow", "pam", "userfile", userfile=f"bob:{HASHES['bobpw']}\n")
    assert door.accepts("bob", "bobpw")


def test_an_unknown_kind_is_told_and_lets_nobody_in(tmp_path: Path) -> None:
    door = Door(tmp_path, "kerberos")
    assert not door.accepts("bob", "bobpw")
    assert door.logs[0] == (
        "err",
        "authentication type 'kerberos' not known: right would be getpwnam, shadow, userfile, pam or trustlocal",
    )


def test_a_broken_userfile_lets_nobody_in_and_is_told(tmp_path: Path) -> None:
    door = Door(tmp_path, "userfile", userfile="bob bobpw\n")
    assert not door.accepts("bob", "bobpw")
    assert any("userfile" in text for level, text in door.logs if level == "err")


def test_no_password_in_any_log(tmp_path: Path) -> None:
    door = Door(tmp_path, "userfile", "shadow", "getpwnam", "pam", userfile=f"bob:{HASHES['bobpw']}\n")
    assert not door.accepts("bob", "s3cr3t")
    assert door.logs
    assert not any("s3cr3t" in text or "$1$" in text for _, text in door.logs)


def test_a_nasty_user_name_is_one_short_line(tmp_path: Path) -> None:
    door = Door(tmp_path, "userfile")
    assert not door.accepts("x\n\x1b[31m" + "y" * 1000, "pw")
    assert all("\n" not in text and "\x1b" not in text and len(text) < 300 for _, text in door.logs)
