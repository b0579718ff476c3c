# SPDX-License-Identifier: GPL-2.0-or-later
"""The ioctl of `ethtool`, and the features of an interface: the work that the stack leaves to the driver.

Layouts and numbers: include/uapi/linux/ethtool.h.
"""

from __future__ import annotations

import array
import fcntl
import struct

# The C module below socket: it is on the start-up path of ipvsadm.
from _socket import AF_INET, SOCK_CLOEXEC, SOCK_DGRAM, socket
from collections.abc import Callable

_SIOCETHTOOL = 0x8946
_GSTRINGS = 0x1B
_GSSET_INFO = 0x37
_GFEATURES = 0x3A
_SFEATURES = 0x3B
_SS_FEATURES = 4

_IFREQ = struct.Struct("16sP16x")
_SET_INFO = struct.Struct("=IIQI")
_STRINGS = struct.Struct("=III")
_FEATURES = struct.Struct("=II")
_GIVEN = struct.Struct("=IIII")  # available, requested, active, never changed
_WANTED = struct.Struct("=II")  # valid, requested
_NAME_BYTES = 32
_WORD_BITS = 32


def features(interface: str) -> dict[str, bool]:
    """By the kernel's names ("tx-tcp-segmentation", ...) whether each feature is on; OSError."""
    names = _feature_names(interface)
    words = -(-len(names) // _WORD_BITS)
    answer = ask(interface, _FEATURES.pack(_GFEATURES, words) + bytes(words * _GIVEN.size))
    active = [_GIVEN.unpack_from(answer, _FEATURES.size + word * _GIVEN.size)[2] for word in range(words)]
    return {name: bool(active[i // _WORD_BITS] >> i % _WORD_BITS & 1) for i, name in enumerate(names) if name}


def switch(interface: str, which: Callable[[str], bool], *, on: bool) -> None:
    """Switch every feature whose name is meant on or off, as far as the driver lets it be changed; OSError."""
    names = _feature_names(interface)
    words = [0] * -(-len(names) // _WORD_BITS)
    for i, name in enumerate(names):
        if which(name):
            words[i // _WORD_BITS] |= 1 << i % _WORD_BITS
    wanted = b"".join(_WANTED.pack(word, word if on else 0) for word in words)
    ask(interface, _FEATURES.pack(_SFEATURES, len(words)) + wanted)


def _feature_names(interface: str) -> list[str]:
    """The running kernel's features by bit; names are stable, bits are not."""
    answer = ask(interface, _SET_INFO.pack(_GSSET_INFO, 0, 1 << _SS_FEATURES, 0))
    count = _SET_INFO.unpack(answer)[3]
    answer = ask(interface, _STRINGS.pack(_GSTRINGS, _SS_FEATURES, count) + bytes(count * _NAME_BYTES))
    begins = range(_STRINGS.size, _STRINGS.size + count * _NAME_BYTES, _NAME_BYTES)
    return [text(answer[begin : begin + _NAME_BYTES]) for begin in begins]


def ask(interface: str, question: bytes) -> bytes:
    """What the kernel makes of a struct that begins with an ETHTOOL_* command; OSError."""
    buffer = array.array("B", question)
    request = _IFREQ.pack(interface.encode("utf-8", "surrogateescape"), buffer.buffer_info()[0])
    probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC)
    try:
        fcntl.ioctl(probe.fileno(), _SIOCETHTOOL, request)
    finally:
        probe.close()
    return buffer.tobytes()


def text(padded: bytes) -> str:
    """A name in a field of fixed size."""
    return padded.split(b"\0", 1)[0].decode("ascii", "replace")
