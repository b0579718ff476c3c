# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual addresses on lo."""

from __future__ import annotations

import errno
from collections.abc import Iterable

from bpvs.model import Address, DirectorError, Family
from bpvs.model.address import V4_MAPPED_PREFIX
from bpvs.net.assigned import LOOPBACK, add_quietly, assigned, remove_from_loopback
from bpvs.net.links import links
from bpvs.realserver.contract import contract
from bpvs.realserver.instance import Instance


def known(instance: Instance) -> dict[Address, bool]:
    """The VIPs that the programs serve; whether each was put on lo by us."""
    ours = contract().numbers["VIP_OURS"]
    layout = contract().vip.select("flags")
    found = {}
    for key in instance.vips:
        value = instance.vips[key]
        if value is not None:
            family = Family.IPV4 if key.startswith(V4_MAPPED_PREFIX) else Family.IPV6
            found[Address.from_mapped(family, key)] = bool(layout.unpack_from(value)[0] & ours)
    return found


def on_loopback() -> set[Address]:
    """All addresses of lo."""
    return {one.address for one in assigned() if one.index == LOOPBACK}


def elsewhere(vips: Iterable[Address]) -> dict[Address, str]:
    """Which VIPs are on another interface than lo, and on which."""
    names = {link.index: link.name for link in links()}
    places = {one.address: names.get(one.index, "?") for one in assigned() if one.index != LOOPBACK}
    return {vip: places[vip] for vip in vips if vip in places}


def refuse_elsewhere(vips: Iterable[Address]) -> None:
    """DirectorError for a VIP on another interface than lo: that interface would answer for it."""
    for vip, device in elsewhere(vips).items():
        raise DirectorError(
            f"{vip} is an address of {device}, which would answer for it in the director's place: "
            f"`ip address delete {vip} dev {device}` first"
        )


def bring(instance: Instance, wanted: Iterable[Address]) -> None:
    """Make exactly these addresses VIPs: on lo, known to the programs before and until they are there."""
    ours = contract().numbers["VIP_OURS"]
    present, before = on_loopback(), known(instance)
    chosen = list(wanted)
    for vip in chosen:
        if vip in before and vip in present:
            continue
        instance.vips[vip.mapped] = contract().vip.pack(flags=0 if vip in present else ours)
        if vip not in present:
            _add(vip)
    for vip, is_ours in before.items():
        if vip not in chosen:
            if is_ours:
                _remove(vip)
            del instance.vips[vip.mapped]


def _add(vip: Address) -> None:
    try:
        add_quietly(vip)
    except OSError as error:
        hint = "; is IPv6 switched off?" if vip.is_ipv6 else ""
        raise DirectorError(f"cannot put {vip} on lo: {error.strerror}{hint}") from error


def _remove(vip: Address) -> None:
    try:
        remove_from_loopback(vip)
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:  # somebody else took it away
            raise DirectorError(f"cannot take {vip} from lo: {error.strerror}") from error
