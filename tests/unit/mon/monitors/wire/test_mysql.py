# SPDX-License-Identifier: GPL-2.0-or-later
"""MySQL's connection phase: greetings as servers send them, and proofs that a server's own formula accepts."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpvs.mon.monitors.verdict import Sick
from bpvs.mon.monitors.wire.mysql import (
    CACHING_SHA2,
    NATIVE,
    Greeting,
    ServerError,
    frame,
    login,
    prove,
    raise_error,
    read_greeting,
    read_switch,
)

NONCE = bytes(range(1, 21))


def greeting(plugin: bytes = b"caching_sha2_password", flags: int = 0x88800) -> bytes:
    low, high = (flags & 0xFFFF).to_bytes(2, "little"), (flags >> 16).to_bytes(2, "little")
    middle = b"\x2d\x02\x00" + high + b"\x15" + bytes(10)
    return b"\x0a8.0.39\0\x08\0\0\0" + NONCE[:8] + b"\0" + low + middle + NONCE[8:] + b"\0" + plugin + b"\0"


def test_greetings() -> None:
    assert read_greeting(greeting()) == Greeting("8.0.39", True, CACHING_SHA2, NONCE)
    assert read_greeting(greeting(flags=0x8000)) == Greeting("8.0.39", False, NATIVE, NONCE)
    assert read_greeting(b"\x0a5.0\0\x08\0\0\0" + NONCE[:8] + b"\0\0\0") == Greeting("5.0", False, NATIVE, NONCE[:8])


def test_a_refusal_instead_of_a_greeting() -> None:
    with pytest.raises(ServerError, match="error 1040: Too many connections"):
        read_greeting(b"\xff\x10\x04Too many connections")
    with pytest.raises(ServerError, match="error 1045: no") as caught:
        raise_error(b"\xff\x15\x04#28000no")
    assert caught.value.number == 1045


@pytest.mark.parametrize("raw", [b"", b"\x09old\0", b"\x0a8.0", b"\x0a8.0\0short", b"HTTP/1.1 400"])
def test_what_is_no_greeting(raw: bytes) -> None:
    with pytest.raises(Sick):
        read_greeting(raw)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_server_accepts_the_native_proof(password: str) -> None:
    """The server keeps SHA1(SHA1(password)) and gets SHA1(password) back out of the proof."""
    stored = hashlib.sha1(hashlib.sha1(password.encode()).digest()).digest()  # noqa: S324 - the protocol's
    mask = hashlib.sha1(NONCE + stored).digest()  # noqa: S324 - the protocol's
    once = bytes(a ^ b for a, b in zip(prove(NATIVE, password, NONCE), mask, strict=True))
    assert hashlib.sha1(once).digest() == stored  # noqa: S324 - the protocol's


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_server_accepts_the_sha2_proof(password: str) -> None:
    stored = hashlib.sha256(hashlib.sha256(password.encode()).digest()).digest()
    mask = hashlib.sha256(stored + NONCE).digest()
    once = bytes(a ^ b for a, b in zip(prove(CACHING_SHA2, password, NONCE), mask, strict=True))
    assert hashlib.sha256(once).digest() == stored


def test_no_password_is_no_proof_and_an_unknown_login_is_named() -> None:
    assert prove(NATIVE, "", NONCE) == b""
    with pytest.raises(Sick, match="'sha256_password'"):
        prove("sha256_password", "x", NONCE)


def test_a_login_names_user_proof_database_and_plugin() -> None:
    packet = login("mon", b"\x01\x02", NATIVE, "shop", is_tls=False)
    assert packet[32:] == b"mon\0\x02\x01\x02shop\0mysql_native_password\0"
    assert int.from_bytes(packet[:4], "little") & 0x808 == 0x8
    assert frame(257, b"abc") == b"\x03\0\0\x01abc"


def test_a_switch_of_the_login() -> None:
    assert read_switch(b"\xfemysql_native_password\0" + NONCE + b"\0") == (NATIVE, NONCE)
    assert read_switch(b"\xfe") == ("mysql_old_password", b"")
