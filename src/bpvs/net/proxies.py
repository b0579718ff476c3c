# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 addresses of nobody's that interfaces shall hear questions for: proxy entries of neighbour discovery.

An entry makes its interface a member of the address's solicited-node group (RFC 4291, section 2.7.1): the driver takes
frames to it, and switches that listen to MLD learn of it. The kernel answers no question while `proxy_ndp` is off,
which is the default. Entries of ours carry our protocol number, by which they are found again.
"""

from __future__ import annotations

import errno
import struct

from bpvs.net.netlink import NLM_F_CREATE, RouteSocket, attribute, attributes, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

PROTOCOL = 183  # no routing daemon has it in iproute2's rt_protos

_RTM_NEWNEIGH, _RTM_DELNEIGH, _RTM_GETNEIGH = 28, 29, 30
_NDMSG = struct.Struct("=BxxxiHBB")  # include/uapi/linux/neighbour.h: family, ifindex, state, flags, type
_NDA_DST, _NDA_PROTOCOL = 1, 12
_NUD_PERMANENT, _NTF_PROXY = 0x80, 0x08
_AF_INET6 = 10

Entry = tuple[int, bytes]  # interface index, IPv6 address


class Proxies:
    """The entries of this network namespace, over one socket; a context manager."""

    def __init__(self) -> None:
        self._route = RouteSocket()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._route.__exit__(*exception)

    def read(self) -> tuple[set[Entry], set[Entry]]:
        """Our entries, and those of others."""
        ours: set[Entry] = set()
        others: set[Entry] = set()
        for body in self._route.dump(_RTM_GETNEIGH, _NDMSG.pack(_AF_INET6, 0, 0, _NTF_PROXY, 0)):
            family, index, _state, _flags, _type = _NDMSG.unpack_from(body)
            found = attributes(body[_NDMSG.size :])
            if family == _AF_INET6:
                is_ours = number(found.get(_NDA_PROTOCOL)) == PROTOCOL
                (ours if is_ours else others).add((index, found[_NDA_DST]))
        return ours, others

    def add(self, entry: Entry) -> None:
        """Make an entry, or make one of somebody else's ours; nothing happens on an interface without IPv6."""
        protocol = attribute(_NDA_PROTOCOL, bytes([PROTOCOL]))
        self._change(_RTM_NEWNEIGH, NLM_F_CREATE, entry, protocol, (errno.EINVAL, errno.ENODEV))

    def remove(self, entry: Entry) -> None:
        """Remove an entry; nothing happens if it is gone."""
        self._change(_RTM_DELNEIGH, 0, entry, b"", (errno.ENOENT, errno.ENODEV))

    def _change(self, kind: int, flags: int, entry: Entry, more: bytes, harmless: tuple[int, ...]) -> None:
        index, address = entry
        head = _NDMSG.pack(_AF_INET6, index, _NUD_PERMANENT, _NTF_PROXY, 0)
        try:
            self._route.change(kind, flags, head + attribute(_NDA_DST, address) + more)
        except OSError as error:
            if error.errno not in harmless:
                raise
