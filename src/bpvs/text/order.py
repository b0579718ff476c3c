# SPDX-License-Identifier: GPL-2.0-or-later
"""The order of sorted listings, with the arithmetic of ipvsadm 1.31.

It compares by 32-bit signed differences, so addresses more than 2^31 apart compare the wrong way round and the order
is not transitive: what comes out then depends on the input order and on the algorithm, which is the merge sort of
glibc's qsort(3) (stdlib/msort.c).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bpvs.model import RealServer, VirtualService
from bpvs.text.integers import signed32

Words = tuple[int, ...]  # what is compared, first word first; each an unsigned 32-bit number
HALF = 2**31


def sorted_services(services: Iterable[VirtualService]) -> list[VirtualService]:
    """By mark, family, protocol, address, port."""
    found = list(services)
    return [found[i] for i in _order([_service_words(service) for service in found], _compare)]


def sorted_servers(servers: Iterable[RealServer]) -> list[RealServer]:
    """By address and port; in a list of both families only the first 32 bits of an address decide."""
    found = list(servers)
    return [found[i] for i in _order([_server_words(server) for server in found], _compare_servers)]


def _address_words(packed: bytes) -> tuple[int, int, int, int]:
    wide = packed.ljust(16, b"\0")
    first, second = int.from_bytes(wide[:4], "big"), int.from_bytes(wide[4:8], "big")
    return first, second, int.from_bytes(wide[8:12], "big"), int.from_bytes(wide[12:], "big")


def _service_words(service: VirtualService) -> Words:
    key = service.key
    packed = key.address.packed if key.address is not None else b""
    return key.fwmark, key.family, key.protocol or 0, *_address_words(packed), key.port


def _server_words(server: RealServer) -> Words:
    return *_address_words(server.address.packed), server.port, server.address.family


def _compare(one: Words, other: Words) -> int:
    for left, right in zip(one, other, strict=True):
        difference = signed32(left - right)
        if difference:
            return difference
    return 0


def _compare_servers(one: Words, other: Words) -> int:
    # The last word, the family, is not compared; of two families ipvsadm looks at the address of the first one's size.
    if one[-1] != other[-1]:
        return signed32(one[0] - other[0]) or one[-2] - other[-2]
    return _compare(one[:-1], other[:-1])


def _order(keys: list[Words], compare: Callable[[Words, Words], int]) -> list[int]:
    """The indices of `keys` in sorted order."""
    if all(max(column) - min(column) < HALF for column in zip(*keys, strict=True)) and len({k[-1] for k in keys}) < 2:
        # No difference can overflow, so the comparison is the plain one, and any stable sort gives the same answer.
        return sorted(range(len(keys)), key=lambda i: keys[i])
    return _merge_sort(list(range(len(keys))), keys, compare)


def _merge_sort(indices: list[int], keys: list[Words], compare: Callable[[Words, Words], int]) -> list[int]:
    if len(indices) < 2:
        return indices
    half = len(indices) // 2
    left, right = (_merge_sort(part, keys, compare) for part in (indices[:half], indices[half:]))
    merged = []
    i = j = 0
    while i < len(left) and j < len(right):
        if compare(keys[left[i]], keys[right[j]]) <= 0:
            merged.append(left[i])
            i += 1
        else:
            merged.append(right[j])
            j += 1
    return merged + left[i:] + right[j:]
