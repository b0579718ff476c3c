# SPDX-License-Identifier: GPL-2.0-or-later
"""Which interfaces carry the programs: attaching, looking after new interfaces, detaching without a trace."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence

from bpvs.kernel import _abi
from bpvs.kernel.instance import PROGRAM_TC, PROGRAM_XDP, Instance
from bpvs.kernel.libbpf import Libbpf
from bpvs.model import DirectorError
from bpvs.model.value import dataclass
from bpvs.net import sysctl, tc
from bpvs.net.driver import driver, has_native_xdp
from bpvs.net.links import Link, attachable, links

HANDLE = 0x42505653  # "BPVS", as `tc filter show` gives it
PRIORITY = 1
MODES = {"auto": _abi.MODE_AUTO, "xdp": _abi.MODE_XDP, "tc": _abi.MODE_TC}

# A client on the director: replies come back in through lo with an address of the host as source, and the FIB answers
# for packets from lo only where lo forwards. All on lo alone; no other interface changes.
SYSCTLS = ("net.ipv4.conf.lo.accept_local", "net.ipv4.conf.lo.forwarding", "net.ipv6.conf.lo.forwarding")

_WORD = struct.Struct("=I")


@dataclass(frozen=True, slots=True)
class Attached:
    """An interface that carries our programs; `modes`: "tc", or "tc" and "xdp"."""

    index: int
    name: str
    modes: tuple[str, ...]


def attach(instance: Instance, names: Sequence[str] | None, mode: str) -> None:
    """Attach to the named interfaces (and lo), or to all that can bring packets, and remember the choice.

    Raises DirectorError for a name that does not exist or cannot be attached to.
    """
    wanted = _wanted(names)
    instance.settings.store(0, "mode", MODES[mode])
    instance.settings.store(0, "restricted", int(names is not None))
    library = Libbpf()
    _attach_links(instance, library, wanted, mode)
    for index in _known(instance).keys() - {link.index for link in wanted}:
        _detach_link(instance, library, index)
    ensure_sysctls(instance)


def attach_new(instance: Instance) -> None:
    """Attach to interfaces that appeared since the last look, in the mode that was chosen."""
    ensure_sysctls(instance)
    if instance.settings.load(0, "restricted"):
        return
    known = _known(instance)
    present = links()
    attachments = instance.attachments
    for index in known.keys() - {link.index for link in present}:
        del attachments[_WORD.pack(index)]
    new = [link for link in attachable(present) if link.index not in known]
    if new:
        numbers = {number: name for name, number in MODES.items()}
        _attach_links(instance, Libbpf(), new, numbers[instance.settings.load(0, "mode")])


def detach_all(instance: Instance) -> None:
    """Take the programs from every interface, with the qdiscs and settings that are ours."""
    library = Libbpf()
    for index in _known(instance):
        _detach_link(instance, library, index)
    changed = instance.settings.load(0, "sysctls")
    for bit, name in enumerate(SYSCTLS):
        if changed >> bit & 1 and _sysctl(name) == "1":
            sysctl.write(name, 0)
    instance.settings.store(0, "sysctls", 0)


def attached(instance: Instance) -> list[Attached]:
    """The interfaces that carry programs, by index."""
    names = {link.index: link.name for link in links()}
    flags = sorted(_known(instance).items())
    return [
        Attached(index, names[index], ("tc", "xdp") if flag & _abi.ATTACHED_XDP else ("tc",))
        for index, flag in flags
        if index in names and flag & _abi.ATTACHED_TC
    ]


def ensure_sysctls(instance: Instance) -> None:
    """Switch on what clients on the director need, remembering what was off."""
    changed = instance.settings.load(0, "sysctls")
    for bit, name in enumerate(SYSCTLS):
        if _sysctl(name) == "0":
            changed |= 1 << bit
            instance.settings.store(0, "sysctls", changed)
            sysctl.write(name, 1)


def _sysctl(name: str) -> str:
    try:
        return sysctl.read(name)
    except FileNotFoundError:  # a kernel without IPv6
        return ""


def _wanted(names: Sequence[str] | None) -> list[Link]:
    present = links()
    possible = attachable(present)
    if names is None:
        return possible
    by_name = {link.name: link for link in possible}
    for name in names:
        if name not in by_name:
            known = any(link.name == name for link in present)
            why = "cannot be attached to: not Ethernet, or a port of a bridge or bond" if known else "does not exist"
            raise DirectorError(f"interface {name!r} {why}; there are {', '.join(by_name)}")
    return [link for link in possible if link.is_loopback or link.name in names]


def _known(instance: Instance) -> dict[int, int]:
    attachments = instance.attachments
    found = {}
    for key in attachments:
        value = attachments[key]
        if value is not None:
            found[_WORD.unpack(key)[0]] = _WORD.unpack(value)[0]
    return found


def _attach_links(instance: Instance, library: Libbpf, wanted: Iterable[Link], mode: str) -> None:
    program_tc, program_xdp = instance.open(PROGRAM_TC), instance.open(PROGRAM_XDP)
    attachments = instance.attachments
    known = _known(instance)
    try:
        for link in wanted:
            flags = known.get(link.index, 0)
            if library.attach_tc(link.index, program_tc, HANDLE, PRIORITY):
                flags |= _abi.OWNS_QDISC
            flags |= _abi.ATTACHED_TC
            attachments[_WORD.pack(link.index)] = _WORD.pack(flags)
            xdp = _wants_xdp(link, mode)
            if xdp and not flags & _abi.ATTACHED_XDP:
                if _attach_xdp(library, link, program_xdp, xdp, must=mode == "xdp"):
                    flags |= _abi.ATTACHED_XDP
            elif not xdp and flags & _abi.ATTACHED_XDP:
                _detach_xdp(library, link.index, program_xdp)
                flags &= ~_abi.ATTACHED_XDP
            attachments[_WORD.pack(link.index)] = _WORD.pack(flags)
    finally:
        os.close(program_tc)
        os.close(program_xdp)


def _wants_xdp(link: Link, mode: str) -> str:
    """The XDP mode for this interface, "" for none."""
    if link.is_loopback or mode == "tc":
        return ""
    if mode == "xdp":
        return "native"
    free = not link.xdp_program
    return "native" if free and has_native_xdp(driver(link.name)) else ""


def _attach_xdp(library: Libbpf, link: Link, program: int, mode: str, *, must: bool) -> bool:
    """Whether XDP is attached now. A driver may refuse, for want of queues or for its MTU: TC does it alone then."""
    try:
        library.attach_xdp(link.index, program, mode)
    except DirectorError as error:
        if must:
            raise DirectorError(f"interface {link.name}: {error}") from error
        return False
    return True


def _detach_xdp(library: Libbpf, index: int, program: int) -> None:
    library.detach_xdp(index, program, "native")


def _detach_link(instance: Instance, library: Libbpf, index: int) -> None:
    flags = _known(instance).get(index, 0)
    if flags & _abi.ATTACHED_XDP:
        program = instance.open(PROGRAM_XDP)
        _detach_xdp(library, index, program)
        os.close(program)
    if flags & _abi.ATTACHED_TC:
        library.detach_tc(index, HANDLE, PRIORITY)
    if flags & _abi.OWNS_QDISC and any(link.index == index for link in links()) and not tc.has_filters(index):
        library.remove_clsact(index)
    del instance.attachments[_WORD.pack(index)]
