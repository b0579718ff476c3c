# SPDX-License-Identifier: GPL-2.0-or-later
"""Attributes and messages of netlink, byte by byte, and one real question to the kernel."""

from __future__ import annotations

import struct

import pytest

from bpvs.net.netlink import RouteSocket, attribute, attributes, messages, number

RTM_GETLINK = 18
NO_SUCH_INDEX = 0x7FFFFFFF


def test_an_attribute_is_padded_to_four_bytes() -> None:
    assert attribute(3, b"lo\0") == struct.pack("=HH", 7, 3) + b"lo\0\0"
    assert attribute(1, b"") == struct.pack("=HH", 4, 1)


@pytest.mark.parametrize("payloads", [[], [b""], [b"a"], [b"abcd"], [b"abcde", b"", b"xyz"]])
def test_attributes_come_back_as_they_went(payloads: list[bytes]) -> None:
    data = b"".join(attribute(kind, payload) for kind, payload in enumerate(payloads, 1))
    assert attributes(data) == dict(enumerate(payloads, 1))


def test_the_flag_for_nested_attributes_is_not_part_of_the_type() -> None:
    assert attributes(attribute(0x8000 | 43, b"xdp")) == {43: b"xdp"}


@pytest.mark.parametrize("data", [b"\x03\x00\x01\x00", b"\x00\x00\x00\x00", b"\x01"])
def test_a_broken_attribute_ends_the_list(data: bytes) -> None:
    assert attributes(attribute(1, b"good") + data) == {1: b"good"}


def test_numbers_of_any_width() -> None:
    assert number(struct.pack("=B", 200)) == 200
    assert number(struct.pack("=I", 70000)) == 70000
    assert number(None) == 0


def test_messages_of_one_datagram() -> None:
    def message(kind: int, payload: bytes) -> bytes:
        return struct.pack("=LHHLL", 16 + len(payload), kind, 2, 1, 0) + payload + bytes(-len(payload) % 4)

    assert list(messages(message(16, b"abc") + message(3, b""))) == [(16, 2, b"abc"), (3, 2, b"")]
    assert list(messages(bytes(16))) == []


def test_the_kernel_answers_one_question() -> None:
    with RouteSocket() as route:
        answer = route.ask(RTM_GETLINK, struct.pack("=BxHiII", 0, 0, 1, 0, 0))
    assert attributes(answer[16:])[3] == b"lo\0"


def test_the_kernels_refusal_is_an_oserror_with_its_number() -> None:
    with RouteSocket() as route, pytest.raises(OSError, match="No such device"):
        route.ask(RTM_GETLINK, struct.pack("=BxHiII", 0, 0, NO_SUCH_INDEX, 0, 0))


def test_one_socket_answers_several_questions() -> None:
    with RouteSocket() as route:
        for _ in range(3):
            assert len(route.dump(RTM_GETLINK, struct.pack("=BxHiII", 0, 0, 0, 0, 0))) >= 1
