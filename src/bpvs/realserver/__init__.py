# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent on a real server: virtual addresses that keep quiet, ends of tunnels, clients' addresses from TOA.

No process stays: what it does is done by programs that are pinned.

>>> from bpvs.realserver import Agent, Plan, parse_vip
>>> Agent().up(Plan(vips=(parse_vip("192.0.2.1"),)))      # doctest: +SKIP
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

from bpvs.kernel import bpffs
from bpvs.kernel.instance import collect_dead
from bpvs.kernel.maps import HashMap
from bpvs.model import DirectorError
from bpvs.model.network import Network
from bpvs.net import namespace
from bpvs.net.links import Link
from bpvs.realserver import addresses, devices, toa
from bpvs.realserver.contract import contract
from bpvs.realserver.instance import Instance
from bpvs.realserver.plan import Plan, parse_vip
from bpvs.realserver.report import Report, report

__all__ = ["Agent", "Plan", "Report", "parse_vip"]


class Agent:
    """The agent of the calling thread's network namespace.

    Raises PermissionError without root's rights, DirectorError from every method when the kernel does not allow it.
    """

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise PermissionError("you must be root")
        self.cookie = namespace.cookie()

    def up(self, plan: Plan) -> None:
        """Bring about exactly this plan, whatever was before, with the programs of this version of BPVS.

        A plan that cannot be changes nothing. If the kernel refuses half way, an agent loaded just now is taken away;
        of an older one as much is changed as could be, and `up` again goes on.
        """
        _refuse_too_many(plan)
        wanted = devices.choose(plan.devices)
        addresses.refuse_elsewhere(plan.vips)
        cgroup = toa.check(plan.cgroup) if plan.cgroup is not None else None
        bpffs.mount()
        with bpffs.Lock(bpffs.root()):
            collect_dead()
            found = Instance.find(self.cookie)
            instance = found or Instance.load(self.cookie)
            try:
                if found is not None:
                    found.renew()
                _apply(instance, plan, wanted, cgroup)
            except (DirectorError, OSError) as error:
                if found is None:
                    _undo(instance)
                if isinstance(error, OSError):
                    raise DirectorError(f"{error.strerror}: {error.filename or 'the kernel refuses'}") from error
                raise
            finally:
                instance.close()

    def down(self) -> bool:
        """Undo everything; False if there was nothing to undo."""
        if not bpffs.is_mounted():
            return False
        with bpffs.Lock(bpffs.root()):
            collect_dead()
            instance = Instance.find(self.cookie)
            if instance is None:
                return False
            _undo(instance)
            return True

    def report(self) -> Report | None:
        """What is set up and what was seen; None if nothing is."""
        instance = Instance.find(self.cookie)
        if instance is None:
            return None
        try:
            return report(instance, self.cookie)
        finally:
            instance.close()


def _refuse_too_many(plan: Plan) -> None:
    most = contract().numbers
    for what, given, room in (
        ("virtual addresses", plan.vips, most["MAX_VIPS"]),
        ("networks of --tunnel-from", plan.tunnel_from, most["MAX_PREFIXES"]),
        ("networks of --toa-from", plan.toa_from, most["MAX_PREFIXES"]),
    ):
        if len(given) > room:
            raise DirectorError(f"{len(given)} {what}: there is room for {room}")


def _apply(instance: Instance, plan: Plan, wanted: list[Link], cgroup: str | None) -> None:
    instance.settings.store(0, "gue_port", socket.htons(plan.gue_port))
    _fill(instance.tunnel_from, plan.tunnel_from)
    _fill(instance.toa_from, plan.toa_from)
    devices.attach(instance, wanted)  # before an address appears that somebody might ask for
    addresses.bring(instance, plan.vips)
    devices.detach_others(instance, wanted)
    if cgroup is None:
        toa.detach(instance)
    else:
        toa.attach(instance, cgroup)


def _undo(instance: Instance) -> None:
    addresses.bring(instance, ())
    devices.detach_others(instance, ())
    instance.unload()


def _fill(trie: HashMap, wanted: Iterable[Network]) -> None:
    """Make a trie hold exactly these networks; what stays is there all the time."""
    keys = {contract().prefix.pack(length=one.mapped_bits, address=one.address.mapped) for one in wanted}
    for key in keys:
        trie[key] = bytes(4)
    for key in list(trie):
        if key not in keys:
            del trie[key]
