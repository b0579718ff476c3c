# SPDX-License-Identifier: GPL-2.0-or-later
"""What hangs on an interface's clsact qdisc."""

from __future__ import annotations

import struct

from bpvs.net.netlink import RouteSocket

RTM_GETTFILTER = 46
_TCMSG = struct.Struct("=BxxxiIII")
_CLSACT_INGRESS = 0xFFFFFFF2
_CLSACT_EGRESS = 0xFFFFFFF3


def has_filters(index: int) -> bool:
    """Whether any filter, of anybody, is attached to the clsact qdisc of this interface, in or out."""
    with RouteSocket() as route:
        return any(
            route.dump(RTM_GETTFILTER, _TCMSG.pack(0, index, 0, parent, 0))
            for parent in (_CLSACT_INGRESS, _CLSACT_EGRESS)
        )
