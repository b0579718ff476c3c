# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules of policy routing, as `ip rule` shows them, in this network namespace.

Layouts: include/uapi/linux/fib_rules.h.
"""

from __future__ import annotations

import errno
import struct

from bpvs.model import Family
from bpvs.model.value import dataclass
from bpvs.net.netlink import NLM_F_CREATE, NLM_F_EXCL, RouteSocket, attribute, attributes, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

LOCAL_TABLE = 255
KERNEL = 2  # RTPROT_KERNEL
PROTOCOL = 183  # of ours: no routing daemon has it in iproute2's rt_protos

_RTM_NEWRULE, _RTM_DELRULE, _RTM_GETRULE = 32, 33, 34
_HEADER = struct.Struct("=BBBBBxxBI")  # family, lengths of destination and source, TOS, table, action, flags
_FRA_IIFNAME, _FRA_GOTO, _FRA_PRIORITY, _FRA_FWMARK, _FRA_TABLE, _FRA_FWMASK, _FRA_PROTOCOL = 3, 4, 6, 10, 15, 16, 21
_LOOK_UP, _GOTO, _NOTHING = 1, 2, 3  # FR_ACT_TO_TBL, FR_ACT_GOTO, FR_ACT_NOP
_ALL_BITS = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: of `preference`, for packets that came in by `iif` ("": any) with `mark` (0: any).

    It looks up `table`, or goes on at the preference `goto`, or does neither, as a place to go to.
    """

    preference: int
    table: int = 0
    goto: int = 0
    iif: str = ""
    mark: int = 0
    protocol: int = PROTOCOL

    def pack(self, family: Family) -> bytes:
        """The kernel's request for it."""
        action = _LOOK_UP if self.table else _GOTO if self.goto else _NOTHING
        head = _HEADER.pack(int(family), 0, 0, 0, self.table if self.table <= LOCAL_TABLE else 0, action, 0)
        numbers = {_FRA_PRIORITY: self.preference}
        if self.table:
            numbers[_FRA_TABLE] = self.table
        if self.goto:
            numbers[_FRA_GOTO] = self.goto
        if self.mark:
            numbers[_FRA_FWMARK], numbers[_FRA_FWMASK] = self.mark, _ALL_BITS
        more = b"".join(attribute(kind, struct.pack("=I", value)) for kind, value in numbers.items())
        if self.iif:
            more += attribute(_FRA_IIFNAME, self.iif.encode() + b"\0")
        return head + more + attribute(_FRA_PROTOCOL, bytes([self.protocol]))


class Rules:
    """The rules of one family, over one socket; a context manager."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._route = RouteSocket()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._route.__exit__(*exception)

    def read(self) -> list[Rule]:
        """All of them in their order, as far as Rule can tell them."""
        bodies = self._route.dump(_RTM_GETRULE, _HEADER.pack(int(self._family), 0, 0, 0, 0, 0, 0))
        return [_parse(body) for body in bodies]

    def add(self, rule: Rule) -> None:
        """Make a rule, unless there is the very same."""
        self._change(_RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule, errno.EEXIST)

    def remove(self, rule: Rule) -> None:
        """Remove a rule; nothing happens if it is gone."""
        self._change(_RTM_DELRULE, 0, rule, errno.ENOENT)

    def _change(self, kind: int, flags: int, rule: Rule, harmless: int) -> None:
        try:
            self._route.change(kind, flags, rule.pack(self._family))
        except OSError as error:
            if error.errno != harmless:
                raise


def _parse(body: bytes) -> Rule:
    *_head, _action, _flags = _HEADER.unpack_from(body)
    found = attributes(body[_HEADER.size :])
    return Rule(
        preference=number(found.get(_FRA_PRIORITY)),
        table=number(found.get(_FRA_TABLE)),
        goto=number(found.get(_FRA_GOTO)),
        iif=found.get(_FRA_IIFNAME, b"").rstrip(b"\0").decode("utf-8", "surrogateescape"),
        mark=number(found.get(_FRA_FWMARK)),
        protocol=number(found.get(_FRA_PROTOCOL)),
    )
