# SPDX-License-Identifier: GPL-2.0-or-later
"""The interfaces that a real server is reached by: the TC program, and ARP that does not tell of the VIPs.

The program drops ARP requests for VIPs. The server's own requests must not carry a VIP as sender either, which answers
to clients would make the kernel do: net.ipv4.conf.IFACE.arp_announce=2 stops that, on the named interfaces alone.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from bpvs.kernel.libbpf import Libbpf
from bpvs.model import DirectorError
from bpvs.net import ethtool, sysctl, tc
from bpvs.net.links import Link, attachable, links
from bpvs.realserver.contract import contract
from bpvs.realserver.instance import PROGRAM_IN, Instance

HANDLE = 0x42505652  # "BPVR", as `tc filter show` gives it
PRIORITY = 2  # behind a director's programs
ANNOUNCE_BEST = 2  # Documentation/networking/ip-sysctl.rst, arp_announce
_WORD = struct.Struct("=I")


def reachable_by() -> list[Link]:
    """The Ethernet interfaces that are up, but for lo and ports of bridges and the like."""
    return [link for link in attachable(links()) if link.is_up and not link.is_loopback]


def choose(names: Iterable[str] | None) -> list[Link]:
    """The interfaces of these names, or all that bring packets; DirectorError for a name that cannot be had."""
    if names is None:
        found = reachable_by()
        if not found:
            raise DirectorError("there is no Ethernet interface that is up: switch one on, or name one by --dev")
        return found
    present = links()
    possible = {link.name: link for link in attachable(present) if not link.is_loopback}
    for name in names:
        if name not in possible:
            known = any(link.name == name for link in present)
            why = "cannot be attached to: not Ethernet, or a port of a bridge or bond" if known else "does not exist"
            raise DirectorError(f"interface {name!r} {why}; there are {', '.join(possible) or 'none'}")
    return [possible[name] for name in dict.fromkeys(names)]


def known(instance: Instance) -> dict[int, tuple[int, int]]:
    """Flags (enum device_flags) and former arp_announce of the interfaces that were attached to, by index."""
    layout = contract().device.select("flags", "announce")
    found = {}
    for key in instance.devices:
        value = instance.devices[key]
        if value is not None:
            flags, announce = layout.unpack_from(value)
            found[int(_WORD.unpack(key)[0])] = (int(flags), int(announce))
    return found


def attach(instance: Instance, wanted: Iterable[Link]) -> None:
    """Attach the program to the interfaces; what is done is noted before. Running it again repairs."""
    library, program, before = Libbpf(), instance.open(PROGRAM_IN), known(instance)
    numbers = contract().numbers
    for link in wanted:
        flags, announce = before.get(link.index, (0, 0))
        if not tc.has_clsact(link.index):
            flags |= numbers["DEVICE_QDISC"]
        raises = arp_announce(link.name) < ANNOUNCE_BEST
        if raises:  # not yet by us, or it was changed since: what is there now is somebody else's wish
            flags |= numbers["DEVICE_ANNOUNCE"]
            announce = int(sysctl.read(_announce(link.name)))
        instance.devices[_WORD.pack(link.index)] = contract().device.pack(flags=flags, announce=announce)
        library.attach_tc(link.index, program, HANDLE, PRIORITY)
        if raises:
            sysctl.write(_announce(link.name), ANNOUNCE_BEST)


def detach_others(instance: Instance, wanted: Iterable[Link]) -> None:
    """Undo what was done on all other interfaces; with none wanted, on all."""
    library, numbers = Libbpf(), contract().numbers
    names = {link.index: link.name for link in links()}
    kept = {link.index for link in wanted}
    for index, (flags, announce) in known(instance).items():
        if index in kept:
            continue
        if index in names:
            library.detach_tc(index, HANDLE, PRIORITY)
            if flags & numbers["DEVICE_QDISC"] and tc.has_clsact(index) and not tc.has_filters(index):
                library.remove_clsact(index)
            if flags & numbers["DEVICE_ANNOUNCE"] and sysctl.read(_announce(names[index])) == str(ANNOUNCE_BEST):
                sysctl.write(_announce(names[index]), announce)
        del instance.devices[_WORD.pack(index)]


def arp_announce(name: str) -> int:
    """The value in force on an interface: the greater of its own and that of `all`."""
    return max(int(sysctl.read(_announce(one))) for one in ("all", name))


def rp_filter(name: str) -> int:
    """The reverse path filter in force on an interface, likewise: 0 off, 1 strict, 2 loose."""
    return max(int(sysctl.read(f"net.ipv4.conf.{spelt(one)}.rp_filter")) for one in ("all", name))


def merges_datagrams(name: str) -> list[str]:
    """The features that are on by which an interface merges datagrams for which there is no socket."""
    try:
        on = ethtool.features(name)
    except OSError:  # it is gone
        return []
    return [feature for feature in ("rx-udp-gro-forwarding", "rx-gro-list") if on.get(feature)]


def _announce(name: str) -> str:
    return f"net.ipv4.conf.{spelt(name)}.arp_announce"


def spelt(name: str) -> str:
    """The name of an interface inside that of a setting, where a dot would separate; as `sysctl` takes it, too."""
    return name.replace(".", "/")
