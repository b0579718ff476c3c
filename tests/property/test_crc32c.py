# SPDX-License-Identifier: GPL-2.0-or-later
"""crc32c.h: the checksum after a change of the ports is that of the whole packet, for every length and content.

The real program for what fits a test frame; beyond, the same arithmetic on the header's own constants.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpvs.model import Protocol
from tests.packets.chunks import INIT
from tests.packets.frames import CLIENT, CLIENT6, Flow, Shape, difference
from tests.packets.frames import Path as Way
from tests.packets.rig import Hook, Rig

HEADER = (Path(__file__).resolve().parents[2] / "bpf/include/bpvs/crc32c.h").read_text()
POWERS = [int(word, 16) for word in re.findall(r"\b0x[0-9a-f]{8}\b", HEADER.partition("crc32c_powers")[2])]
POLYNOMIAL = 0x82F63B78
ONE = 1 << 31  # the highest bit is the coefficient of x^0
LONGEST = 65535
IP_LONGEST = 1500  # of the rig's links

PORT4 = Way(CLIENT, "10.0.0.132", 3868, "10.2.0.13", 13868, Protocol.SCTP)
PORT6 = Way(CLIENT6, "fd00::132", 3868, "fd02::13", 13868, Protocol.SCTP)


@cache
def table() -> list[int]:
    """The remainder that each byte leaves, bit by bit."""
    found = list(range(256))
    for _ in range(8):
        found = [one >> 1 ^ (POLYNOMIAL if one & 1 else 0) for one in found]
    return found


def crc32c(content: bytes) -> int:
    """Byte by byte."""
    lookup, crc = table(), 0xFFFFFFFF
    for byte in content:
        crc = crc >> 8 ^ lookup[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def multiply(a: int, b: int) -> int:
    """As crc32c_multiply()."""
    product = 0
    for _ in range(32):
        product ^= b if a >> 31 else 0
        a = a << 1 & 0xFFFFFFFF
        b = b >> 1 ^ (POLYNOMIAL if b & 1 else 0)
    return product


def change(word: int, length: int) -> int:
    """As crc32c_change()."""
    for k, power in enumerate(POWERS):
        if length >> k & 1:
            word = multiply(word, power)
    return word


def test_the_plain_crc_is_castagnolis() -> None:
    """RFC 3720 B.4."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43


def test_the_header_has_the_polynomial_and_a_power_for_each_bit_of_a_length() -> None:
    assert f"CRC32C_POLYNOMIAL {POLYNOMIAL:#x}" in HEADER
    assert len(POWERS) == LONGEST.bit_length()
    power = ONE
    for _ in range(8):
        power = power >> 1 ^ (POLYNOMIAL if power & 1 else 0)
    for found in POWERS:
        assert found == power
        power = multiply(power, power)


def test_every_length_moves_the_checksum_as_zeros_that_follow_do() -> None:
    """A word of difference, then ever more zeros: one step of the plain CRC each."""
    lookup, crc = table(), 0xDEADBEEF
    for length in range(1, LONGEST + 1):
        crc = crc >> 8 ^ lookup[crc & 0xFF]
        if length % 61 == 0 or length < 2100 or length > LONGEST - 64:
            assert change(0xDEADBEEF, length) == crc, length


@settings(deadline=None, max_examples=100)
@given(content=st.binary(min_size=12, max_size=4096), zeros=st.integers(0, LONGEST - 4096), first=st.binary(min_size=4))
def test_change_of_the_first_word(content: bytes, zeros: int, first: bytes) -> None:
    before, after = content + bytes(zeros), first[:4] + content[4:] + bytes(zeros)
    moved = int.from_bytes(before[:4], "little") ^ int.from_bytes(after[:4], "little")
    assert crc32c(before) ^ change(moved, len(before)) == crc32c(after)


@pytest.mark.root
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from([PORT4, PORT6]),
    ports=st.tuples(*[st.integers(1, 65535)] * 2).filter(lambda ports: 20 not in ports),
    hook=st.sampled_from(Hook),
    payload=st.binary(min_size=4, max_size=IP_LONGEST - 40 - 12),
)
def test_packets_of_any_length_between_any_ports(
    rig: Rig, path: Way, ports: tuple[int, int], hook: Hook, payload: bytes
) -> None:
    path = replace(path, virtual_port=rig.port(), server_port=ports[0])
    rig.serve(path.row)
    flow = Flow(path, ports[1])
    rig.run_uncounted(hook, flow.request(Shape(payload=INIT)))
    shape = Shape(payload=payload)
    assert not difference(rig.run_uncounted(hook, flow.request(shape))[1], flow.to_server(shape))
    assert not difference(rig.run_uncounted(hook, flow.reply(shape), "back")[1], flow.to_client(shape))


@pytest.mark.root
@pytest.mark.parametrize("hook", Hook)
def test_short_and_long_packets(rig: Rig, hook: Hook) -> None:
    rig.serve(PORT4.row)
    flow = Flow(PORT4, rig.port())
    rig.run_uncounted(hook, flow.request(Shape(payload=INIT)))
    longest = IP_LONGEST - 20 - 12
    for size in (*range(4, 70), *range(70, longest, 31), longest):
        shape = Shape(payload=bytes(4) + (bytes(range(256)) * 6)[: size - 4])
        assert rig.run_uncounted(hook, flow.request(shape))[1] == flow.to_server(shape), size
