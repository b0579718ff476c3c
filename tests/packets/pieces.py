# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames cut into fragments as a router or a sender cuts them (RFC 791, RFC 8200)."""

from __future__ import annotations

from scapy.utils import checksum

_ETHERNET, _IPV6 = 14, 40
_FRAGMENT_HEADER = 44
_MORE = 1


def pieces(frame: bytes, size: int, ident: int = 0x1234) -> list[bytes]:
    """The frame in fragments with `size` bytes of payload each, a multiple of 8, all without IP options."""
    cut = _ipv6 if frame[_ETHERNET] >> 4 == 6 else _ipv4
    header = _ETHERNET + (_IPV6 if cut is _ipv6 else 20)
    payload = frame[header:]
    starts = range(0, len(payload), size)
    return [
        cut(frame[:header], payload[start : start + size], start, start + size < len(payload), ident)
        for start in starts
    ]


def _ipv4(head: bytes, payload: bytes, start: int, more: bool, ident: int) -> bytes:
    ip = bytearray(head[_ETHERNET:])
    ip[2:4] = (len(ip) + len(payload)).to_bytes(2, "big")
    ip[4:6] = ident.to_bytes(2, "big")
    ip[6:8] = (start // 8 | (0x2000 if more else 0)).to_bytes(2, "big")
    ip[10:12] = bytes(2)
    ip[10:12] = int(checksum(bytes(ip))).to_bytes(2, "big")
    return head[:_ETHERNET] + bytes(ip) + payload


def _ipv6(head: bytes, payload: bytes, start: int, more: bool, ident: int) -> bytes:
    ip = bytearray(head[_ETHERNET:])
    ip[4:6] = (8 + len(payload)).to_bytes(2, "big")
    fragment = bytes((ip[6], 0)) + (start | (_MORE if more else 0)).to_bytes(2, "big") + ident.to_bytes(4, "big")
    ip[6] = _FRAGMENT_HEADER
    return head[:_ETHERNET] + bytes(ip) + fragment + payload
