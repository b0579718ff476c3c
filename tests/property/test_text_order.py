# SPDX-License-Identifier: GPL-2.0-or-later
"""Sorting near addresses is plain ascending order; far ones come out as merge sort with a wrapping comparison gives."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bpvs.model import Address, Family, RealServer
from bpvs.text.order import sorted_servers

PATIENT = settings(deadline=None)  # a busy machine may stall longer than hypothesis would wait


def server(number: int, port: int) -> RealServer:
    return RealServer(Address(Family.IPV4, number.to_bytes(4, "big")), port)


PORTS = st.integers(0, 3)
NEAR = st.lists(st.builds(server, st.integers(0x0A000000, 0x0A0000FF), PORTS), max_size=40)
FAR = st.lists(st.builds(server, st.integers(0, 2**32 - 1), PORTS), max_size=40)


def reference(servers: list[RealServer]) -> list[RealServer]:
    """msort_with_tmp of glibc, literally: halves, and the left one wins ties."""
    if len(servers) < 2:
        return servers
    half = len(servers) // 2
    left, right = reference(servers[:half]), reference(servers[half:])
    merged = []
    while left and right:
        merged.append((left if difference(left[0], right[0]) <= 0 else right).pop(0))
    return merged + left + right


def difference(one: RealServer, other: RealServer) -> int:
    apart = int.from_bytes(one.address.packed, "big") - int.from_bytes(other.address.packed, "big")
    wrapped = int.from_bytes((apart % 2**32).to_bytes(4, "big"), "big", signed=True)
    return wrapped or one.port - other.port


@PATIENT
@given(NEAR)
def test_near_addresses_ascend(servers: list[RealServer]) -> None:
    assert sorted_servers(servers) == sorted(servers, key=lambda s: (s.address.packed, s.port))


@PATIENT
@given(FAR)
def test_far_addresses_follow_the_real_sort(servers: list[RealServer]) -> None:
    assert sorted_servers(servers) == reference(servers)
