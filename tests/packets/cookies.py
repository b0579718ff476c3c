# SPDX-License-Identifier: GPL-2.0-or-later
"""SYN cookies as the director should make them, worked out a second time in Python."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from bpvs.kernel import _abi
from tests.packets.frames import Flow
from tests.packets.rig import loaded

_MASK = (1 << 64) - 1
_AGE, _SACK, _DATA = 0x100, 0x80, 0x1FF
NO_SCALE = 15
SIZES = (536, 1200, 1300, 1360, 1400, 1440, 1460, 8940)
_SECRETS = 2
_SECRET_BYTES = 16


def siphash_words(key: bytes, words: Iterable[int]) -> int:
    """SipHash-2-4 over 64-bit words, the last of which tells the length; key: 16 bytes."""
    one, other = (int.from_bytes(half, "little") for half in (key[:8], key[8:]))
    v = [
        0x736F6D6570736575 ^ one,
        0x646F72616E646F6D ^ other,
        0x6C7967656E657261 ^ one,
        0x7465646279746573 ^ other,
    ]
    for word in words:
        v[3] ^= word
        _mix(v, 2)
        v[0] ^= word
    v[2] ^= 0xFF
    _mix(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def siphash(key: bytes, message: bytes) -> bytes:
    """The hash of a message of bytes, as its authors publish it."""
    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) & 0xFF])
    return siphash_words(key, struct.unpack(f"<{len(padded) // 8}Q", padded)).to_bytes(8, "little")


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) & _MASK


def _mix(v: list[int], rounds: int) -> None:
    for _ in range(rounds):
        v[0] = (v[0] + v[1]) & _MASK
        v[1] = _rotated(v[1], 13) ^ v[0]
        v[0] = _rotated(v[0], 32)
        v[2] = (v[2] + v[3]) & _MASK
        v[3] = _rotated(v[3], 16) ^ v[2]
        v[0] = (v[0] + v[3]) & _MASK
        v[3] = _rotated(v[3], 21) ^ v[0]
        v[2] = (v[2] + v[1]) & _MASK
        v[1] = _rotated(v[1], 17) ^ v[2]
        v[2] = _rotated(v[2], 32)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a SYN offers: largest segment, window scale and selective acknowledgement; None: not told."""

    mss: int | None = 1460
    scale: int | None = 7
    sack: bool = True

    @property
    def options(self) -> list[Any]:
        """As the client writes them."""
        listed: list[Any] = [] if self.mss is None else [("MSS", self.mss)]
        listed += [("SAckOK", b"")] if self.sack else []
        return listed + ([] if self.scale is None else [("NOP", None), ("WScale", self.scale)])

    @property
    def own_options(self) -> list[Any]:
        """As the director writes them: three words."""
        nops: list[Any] = [("NOP", None)] * 4
        scale = nops if self.scale is None else [("NOP", None), ("WScale", self.scale)]
        return [("MSS", self.mss), *scale, *([*nops[:2], ("SAckOK", b"")] if self.sack else nops)]

    def kept(self, is_ipv6: bool) -> Offer:
        """What a cookie remembers of it."""
        mss = (1220 if is_ipv6 else 536) if self.mss is None else self.mss
        return Offer(
            max((size for size in SIZES if size <= mss), default=SIZES[0]),
            None if self.scale is None else min(self.scale, 14),
            self.sack,
        )


def data_of(offer: Offer) -> int:
    """The low byte of a cookie, of what is kept."""
    assert offer.mss is not None
    scale = NO_SCALE if offer.scale is None else offer.scale
    return (_SACK if offer.sack else 0) | SIZES.index(offer.mss) << 4 | scale


def cookie_of(secret: bytes, flow: Flow, isn: int, data: int) -> int:
    """The cookie for a client's initial sequence number; data: its low 9 bits."""
    ends = [ip_address(one).packed for one in (flow.path.client, flow.path.virtual)]
    src, dst = ([int.from_bytes(one[at : at + 4], "little") for at in range(0, len(one), 4)] for one in ends)
    words = [src[0] << 32 | dst[0]]
    if flow.path.is_ipv6:
        words = [src[0] << 32 | src[1], dst[0] << 32 | dst[1], src[2] << 32 | src[3], dst[2] << 32 | dst[3]]
    sport, dport = (int.from_bytes(port.to_bytes(2, "big"), "little") for port in (flow.port, flow.path.virtual_port))
    words += [sport << 48 | dport << 32 | isn, (data & 0xFF) << 56]
    return siphash_words(secret, words) & 0xFFFFFFFF & ~_DATA | data


def is_genuine(flow: Flow, isn: int, offer: Offer, cookie: int) -> bool:
    """Whether it is the cookie for that SYN, by one of the instance's secrets."""
    data = cookie & _DATA
    return data & ~_AGE == data_of(offer) and cookie == cookie_of(secrets()[data >> 8], flow, isn, data)


def secrets() -> tuple[bytes, bytes]:
    """Those of even and of odd age."""
    content = loaded().runtime.bytes_at(0, _abi.RUNTIME.offset("secret"), _SECRETS * _SECRET_BYTES)
    return content[:_SECRET_BYTES], content[_SECRET_BYTES:]


def renew(fresh: bytes) -> None:
    """What the housekeeper does each minute, with a secret of the test's own."""
    runtime = loaded().runtime
    age = runtime.load(0, "secret_age") + 1
    runtime.write(0, fresh, _abi.RUNTIME.offset("secret") + age % _SECRETS * _SECRET_BYTES)
    runtime.store(0, "secret_age", age)
