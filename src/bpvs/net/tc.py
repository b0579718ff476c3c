# SPDX-License-Identifier: GPL-2.0-or-later
"""What hangs on an interface's clsact qdisc."""

from __future__ import annotations

import struct

from bpvs.net.netlink import RouteSocket

RTM_GETQDISC = 38
RTM_GETTFILTER = 46
_TCMSG = struct.Struct("=BxxxiIII")
_CLSACT = 0xFFFFFFF1
_CLSACT_INGRESS = 0xFFFFFFF2
_CLSACT_EGRESS = 0xFFFFFFF3


def has_clsact(index: int) -> bool:
    """Whether the interface has a clsact qdisc; False too when it is gone."""
    with RouteSocket() as route:
        found = route.dump(RTM_GETQDISC, _TCMSG.pack(0, index, 0, 0, 0))
    return any(_TCMSG.unpack_from(body)[1] == index and _TCMSG.unpack_from(body)[3] == _CLSACT for body in found)


def has_filters(index: int) -> bool:
    """Whether any filter, of anybody, is attached to the clsact qdisc of this interface, in or out."""
    with RouteSocket() as route:
        return any(
            route.dump(RTM_GETTFILTER, _TCMSG.pack(0, index, 0, parent, 0))
            for parent in (_CLSACT_INGRESS, _CLSACT_EGRESS)
        )


def ingress_handles(index: int) -> set[int]:
    """The handles of all filters at the clsact qdisc's ingress of this interface."""
    with RouteSocket() as route:
        bodies = route.dump(RTM_GETTFILTER, _TCMSG.pack(0, index, 0, _CLSACT_INGRESS, 0))
    return {_TCMSG.unpack_from(body)[2] for body in bodies} - {0}
