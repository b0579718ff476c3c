# SPDX-License-Identifier: GPL-2.0-or-later
"""Services by firewall mark: whoever marks their packets in PREROUTING gets them to the data path by the detour.

It stands while there is such a service and agrees with the table after every change. Where the kernel has no veth or no
policy routing there is none, and only packets that were marked before TC find these services.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from bpvs.director import classifier
from bpvs.director.identity import is_probe
from bpvs.director.interfaces import HANDLE, PRIORITY
from bpvs.director.rows import Row
from bpvs.kernel.instance import PROGRAM_DETOUR, PROGRAM_TC, Instance
from bpvs.kernel.libbpf import TC_EGRESS, TC_INGRESS, Libbpf
from bpvs.model import Family, ServiceKey
from bpvs.net import detour, sysctl
from bpvs.net.links import links
from bpvs.net.veth import PairError

FORWARDING = {Family.IPV4: "net.ipv4.ip_forward", Family.IPV6: "net.ipv6.conf.all.forwarding"}
_INSTEAD = "`bpvs mark add`"


def settle(instance: Instance, rows: Iterable[Row]) -> None:
    """Make interfaces and rules agree with the services in force."""
    keys = [row.service.key for row in rows if row.service.key.fwmark and not is_probe(row.service.key)]
    if not keys:
        if instance.settings.load(0, "detour"):
            clear(instance)
        return
    try:
        out, is_new = _ensure(instance)
        for family in Family:
            marks = {key.fwmark for key in keys if key.family is family}
            if is_new or not detour.is_led(family, marks):
                detour.lead(family, marks, out)
    except PairError:
        clear(instance)  # half of it would lead packets nowhere


def remarks(instance: Instance, added: Iterable[ServiceKey]) -> list[str]:
    """What keeps marks of netfilter from these services, a sentence each; none if rules of ours give their marks."""
    given = {rule.mark for rule in classifier.read(instance)}
    families = {key.family for key in added if key.fwmark and key.fwmark not in given}
    if not families:
        return []
    if not instance.settings.load(0, "detour"):
        return [f"marks of netfilter do not reach services by mark here, only those of {_INSTEAD}: see `bpvs doctor`"]
    return [
        f"{setting} is 0: what netfilter marks does not reach services by mark; set it to 1, or use {_INSTEAD}"
        for family, setting in FORWARDING.items()
        if family in families and _is_off(setting)
    ]


def _is_off(setting: str) -> bool:
    try:
        return sysctl.read(setting) == "0"
    except FileNotFoundError:  # a kernel without IPv6
        return True


def clear(instance: Instance) -> None:
    """Nothing of it is left in this namespace."""
    detour.remove()
    instance.settings.store(0, "detour", 0)


def _ensure(instance: Instance) -> tuple[int, bool]:
    """Build the pair or set it right, attach to both ends, show it to the data path.

    Tells the index to lead packets to, and whether there was anything to do, so that routes to it are gone.
    """
    found = detour.find(links())
    if found is not None and found[1] == instance.settings.load(0, "detour"):
        return found[0], False
    out, back = detour.build()
    library = Libbpf()
    for index, name, direction in ((back, PROGRAM_TC, TC_INGRESS), (out, PROGRAM_DETOUR, TC_EGRESS)):
        program = instance.open(name)
        try:
            library.attach_tc(index, program, HANDLE, PRIORITY, direction)
        finally:
            os.close(program)
    instance.settings.store(0, "detour", back)
    return out, True
