# SPDX-License-Identifier: GPL-2.0-or-later
"""BER and search filters against bytes worked out by hand from RFC 4511, and there and back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpvs.mon.monitors.verdict import Sick
from bpvs.mon.monitors.wire.ber import OCTETS, SEQUENCE, encode, encode_number, frame, take
from bpvs.mon.monitors.wire.ldap_filter import compile_filter

FILTERS = {
    "(objectClass=*)": "87 0b 6f626a656374436c617373",
    "cn=Al": "a3 08 04 02 636e 04 02 416c",
    "(!(cn=Al))": "a2 0a a3 08 04 02 636e 04 02 416c",
    "(&(a=1)(b>=2))": "a0 10 a3 06 04 01 61 04 01 31 a5 06 04 01 62 04 01 32",
    "(|(a~=1) (b<=2))": "a1 10 a8 06 04 01 61 04 01 31 a6 06 04 01 62 04 01 32",
    "(a=x*y*z)": "a4 0e 04 01 61 30 09 80 01 78 81 01 79 82 01 7a",
    "(a=*y*)": "a4 08 04 01 61 30 03 81 01 79",
    r"(a=\2a\28)": "a3 07 04 01 61 04 02 2a28",
    "(a=ü)": "a3 07 04 01 61 04 02 c3bc",
    "(&)": "a0 00",
}


@pytest.mark.parametrize(("text", "bytes_"), FILTERS.items())
def test_filters(text: str, bytes_: str) -> None:
    assert compile_filter(text) == bytes.fromhex(bytes_)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("(a=1", "a ')' is missing"),
        ("(a=1)(b=2)", "goes on after its end: '(b=2)'"),
        ("(a)", "'a)' is not ATTRIBUTE=VALUE"),
        ("(!(a=1)(b=2))", "'!' wants one filter"),
        (r"(a=\2)", "two hexadecimal digits"),
        ("(a=**)", "nothing between its asterisks"),
        ("(!" * 30 + "(a=1)" + ")" * 30, "more than 20 levels deep"),
    ],
)
def test_wrong_filters(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        compile_filter(text)


@given(st.binary(max_size=70_000))
def test_elements_there_and_back(content: bytes) -> None:
    element, rest = take(encode(OCTETS, content) + b"rest")
    assert (element.tag, element.content, rest) == (OCTETS, content, b"rest")


@given(st.integers(0, 2**40))
def test_numbers_there_and_back(value: int) -> None:
    (inner,) = take(encode(SEQUENCE, encode_number(value)))[0].children()
    assert inner.number() == value


def test_a_length_that_is_not_there_yet() -> None:
    assert frame(b"0") == (2, None)
    assert frame(bytes.fromhex("30 82 01")) == (4, None)
    assert frame(bytes.fromhex("30 82 01 00")) == (4, 256)


@given(st.binary(max_size=40))
def test_garbage_is_a_sick_host_or_an_element(data: bytes) -> None:
    try:
        element, rest = take(data)
    except Sick:
        return
    assert data.endswith(element.content + rest)
