# SPDX-License-Identifier: GPL-2.0-or-later
"""RADIUS against the packets in RFC 2865, section 7.1, and answers that somebody else made."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpvs.mon.monitors.verdict import Sick
from bpvs.mon.monitors.wire.radius import ACCESS_ACCEPT, _hide, access_request, read_answer, status_server

SECRET = b"xyzzy5461"
REQUEST = bytes.fromhex(
    "01 00 00 38 0f 40 3f 94 73 97 80 57 bd 83 d5 cb 98 f4 22 7a 01 06 6e 65 6d 6f 02 12 0d be 70 8d 93 d4 13 ce"
    "31 96 e4 3f 78 2a 0a ee 04 06 c0 a8 01 10 05 06 00 00 00 03"
)
ACCEPT = bytes.fromhex(
    "02 00 00 26 86 fe 22 0e 76 24 ba 2a 10 05 f6 bf 9b 55 e0 b2 06 06 00 00 00 01 0f 06 00 00 00 00 0e 06 c0 a801 03"
)


def test_the_password_of_the_rfc_is_hidden_as_there() -> None:
    assert _hide(b"arctangent", REQUEST[4:20], SECRET) == REQUEST[28:44]


def test_a_long_password_takes_more_blocks() -> None:
    assert len(_hide(b"x" * 33, bytes(16), SECRET)) == 48


def test_the_answer_of_the_rfc() -> None:
    assert read_answer(ACCEPT, REQUEST, SECRET) == (ACCESS_ACCEPT, "")


def test_a_request_is_authenticated() -> None:
    for packet in (access_request(7, b"a" * 16, SECRET, "u", "p"), status_server(7, b"a" * 16, SECRET)):
        assert int.from_bytes(packet[2:4], "big") == len(packet)
        assert packet[20:22] == bytes((80, 18))
        blank = packet[:22] + bytes(16) + packet[38:]
        assert hmac.digest(SECRET, blank, "md5") == packet[22:38]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (ACCEPT[:19], "shorter than a RADIUS header"),
        (ACCEPT[:30], "wrong length"),
        (b"\x02\x09" + ACCEPT[2:], "to another request"),
        (ACCEPT[:-1] + b"\x04", "not signed with the secret"),
    ],
)
def test_answers_that_are_none(answer: bytes, sentence: str) -> None:
    with pytest.raises(Sick, match=sentence):
        read_answer(answer, REQUEST, SECRET)


@given(st.binary(max_size=60))
def test_signed_attributes_are_read_or_refused(attributes: bytes) -> None:
    head = b"\x02\x00" + (20 + len(attributes)).to_bytes(2, "big")
    signature = hashlib.md5(head + REQUEST[4:20] + attributes + SECRET).digest()  # noqa: S324 - the protocol's
    failed = ""
    try:
        assert read_answer(head + signature + attributes, REQUEST, SECRET).code == ACCESS_ACCEPT
    except Sick as error:
        failed = str(error)
    assert not failed or "attribute" in failed or "Message-Authenticator" in failed
