# SPDX-License-Identifier: GPL-2.0-or-later
"""Which interfaces carry the programs: attaching, looking after new interfaces, detaching without a trace."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence

from bpvs.director import siding
from bpvs.kernel import _abi
from bpvs.kernel.instance import PROGRAM_EGRESS, PROGRAM_TC, PROGRAM_XDP, Instance
from bpvs.kernel.libbpf import TC_EGRESS, Libbpf
from bpvs.model import DirectorError
from bpvs.model.value import dataclass
from bpvs.net import sysctl, tc
from bpvs.net.driver import driver, has_native_xdp, takes_off_tags
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

    Raises DirectorError for a name that does not exist or cannot be attached to, and for one without XDP in mode xdp.
    """
    present = links()
    wanted = _wanted(names, present)
    instance.settings.store(0, "mode", MODES[mode])
    instance.settings.store(0, "restricted", int(names is not None))
    library = Libbpf()
    _attach_links(instance, library, wanted, mode, _under_vlans(present), is_strict=True)
    for index in _known(instance).keys() - {link.index for link in wanted}:
        _detach_link(instance, library, index)
    siding.ensure(instance, library, HANDLE, PRIORITY)
    ensure_sysctls(instance)


def attach_new(instance: Instance) -> None:
    """Attach to interfaces that appeared since the last look, in the mode that was chosen; mend the siding.

    One that takes no XDP has TC alone: nobody who changes the table asked for that interface.
    """
    ensure_sysctls(instance)
    present = links()
    if not siding.stands(instance, present):
        siding.ensure(instance, Libbpf(), HANDLE, PRIORITY)
    if instance.settings.load(0, "restricted"):
        return
    known = _known(instance)
    attachments = instance.attachments
    for index in known.keys() - {link.index for link in present}:
        del attachments[_WORD.pack(index)]
    possible = attachable(present)
    new = [link for link in possible if link.index not in known]
    if new:
        numbers = {number: name for name, number in MODES.items()}
        below = _under_vlans(new)
        concerned = [link for link in possible if link in new or link.index in below]
        _attach_links(
            instance,
            Libbpf(),
            concerned,
            numbers[instance.settings.load(0, "mode")],
            _under_vlans(present),
            is_strict=False,
        )


def attach_egress(instance: Instance) -> None:
    """Attach to what leaves, once there are real servers on the director: their replies do not come in anywhere."""
    if not instance.settings.load(0, "local_servers"):
        return
    without = {i: flags for i, flags in _known(instance).items() if not flags & _abi.ATTACHED_EGRESS}
    if not without:
        return
    library, program = Libbpf(), instance.open(PROGRAM_EGRESS)
    try:
        for index, flags in without.items():
            _note(instance, index, flags | _abi.ATTACHED_EGRESS)
            library.attach_tc(index, program, HANDLE, PRIORITY, TC_EGRESS)
    finally:
        os.close(program)


def detach_all(instance: Instance) -> None:
    """Take the programs from every interface, with the siding, the qdiscs and the settings that are ours."""
    siding.remove(instance)
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
    known = _known(instance)
    return [
        Attached(link.index, link.name, ("tc", "xdp") if known[link.index] & _abi.ATTACHED_XDP else ("tc",))
        for link in attached_links(instance)
    ]


def attached_links(instance: Instance) -> list[Link]:
    """The same as links."""
    known = _known(instance)
    return [link for link in links() if known.get(link.index, 0) & _abi.ATTACHED_TC]


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


def _under_vlans(some: Iterable[Link]) -> set[int]:
    """The interfaces that bring the frames of VLANs."""
    return {link.lower for link in some if link.kind == "vlan"}


def _wanted(names: Sequence[str] | None, present: list[Link]) -> list[Link]:
    possible = attachable(present)
    if names is None:
        return possible
    by_name = {link.name: link for link in possible}
    for name in names:
        if name not in by_name:
            why = _why_not(name, present)
            raise DirectorError(f"interface {name!r} {why}; there are {', '.join(by_name)}")
    return [link for link in possible if link.is_loopback or link.name in names]


def _why_not(name: str, present: Iterable[Link]) -> str:
    for link in present:
        if link.name == name:
            return f"cannot be attached to: {_reason(link)}"
    return "does not exist"


def _reason(link: Link) -> str:
    if link.is_siding or link.is_detour:
        return "BPVS's own " + ("siding" if link.is_siding else "detour")
    return "not Ethernet, or a port of a bridge or bond"


def _known(instance: Instance) -> dict[int, int]:
    """Flags by interface index."""
    attachments = instance.attachments
    found = {}
    for key in attachments:
        value = attachments[key]
        if value is not None:
            found[_WORD.unpack(key)[0]] = _WORD.unpack_from(value)[0]
    return found


def _note(instance: Instance, index: int, flags: int) -> None:
    """Write down what is about to be done, so that a command that is killed leaves nothing unknown behind."""
    instance.attachments[_WORD.pack(index)] = _abi.ATTACHMENT.pack(flags=flags)


def _attach_links(
    instance: Instance, library: Libbpf, wanted: Iterable[Link], mode: str, tagged: set[int], *, is_strict: bool
) -> None:
    """`tagged`: interfaces under VLANs; `is_strict`: in mode xdp each has to take it, else DirectorError."""
    program_tc, program_xdp = instance.open(PROGRAM_TC), instance.open(PROGRAM_XDP)
    known = _known(instance)
    try:
        for link in wanted:
            flags = known.get(link.index, 0)
            if not tc.has_clsact(link.index):
                flags |= _abi.OWNS_QDISC
            flags |= _abi.ATTACHED_TC
            _note(instance, link.index, flags)
            library.attach_tc(link.index, program_tc, HANDLE, PRIORITY)
            own_mode = mode
            if link.index in tagged and mode != "tc" and takes_off_tags(link.name):
                own_mode = _without_tags(link, mode, is_strict=is_strict)
            _attach_xdp(instance, library, link, program_xdp, flags, own_mode, is_strict=is_strict)
    finally:
        os.close(program_tc)
        os.close(program_xdp)


def _without_tags(link: Link, mode: str, *, is_strict: bool) -> str:
    """The mode for an interface whose VLANs XDP would take for its own network, and answer there."""
    if mode == "xdp" and is_strict:
        raise DirectorError(
            f"interface {link.name}: XDP does not see its VLANs' tags, which the hardware takes off; "
            f"`ethtool -K {link.name} rxvlan off` leaves them in place"
        )
    return "tc"


def _attach_xdp(
    instance: Instance, library: Libbpf, link: Link, program: int, flags: int, mode: str, *, is_strict: bool
) -> None:
    """Bring XDP to what the mode wants; note the interface's MAC address, which the data path answers with.

    A driver may refuse it, for want of queues or for its MTU: in mode auto TC does it alone then.
    """
    is_ours = bool(flags & _abi.ATTACHED_XDP)
    if link.index < _abi.MAX_STATIONS:
        instance.stations.write(link.index, link.mac)
    if not _wants_xdp(link, mode, is_ours=is_ours):
        if is_ours:
            instance.stations.store(link.index, "carries_xdp", 0)
            library.detach_xdp(link.index, program)
            _note(instance, link.index, flags & ~_abi.ATTACHED_XDP)
        return
    instance.stations.store(link.index, "carries_xdp", 1)
    if is_ours and link.xdp_program:
        return
    _note(instance, link.index, flags | _abi.ATTACHED_XDP)
    try:
        library.attach_xdp(link.index, program)
    except DirectorError as error:
        instance.stations.store(link.index, "carries_xdp", 0)
        _note(instance, link.index, flags & ~_abi.ATTACHED_XDP)
        if mode == "xdp" and is_strict:
            raise DirectorError(f"interface {link.name}: {error}") from error


def _wants_xdp(link: Link, mode: str, *, is_ours: bool) -> bool:
    """Whether the interface shall carry XDP; in mode auto never where somebody else's program is."""
    if link.is_loopback or mode == "tc" or link.index >= _abi.MAX_STATIONS:
        return False
    if mode == "xdp":
        return True
    return (is_ours or not link.xdp_program) and has_native_xdp(driver(link.name))


def _detach_link(instance: Instance, library: Libbpf, index: int) -> None:
    flags = _known(instance).get(index, 0)
    if flags & _abi.ATTACHED_XDP:
        instance.stations.store(index, "carries_xdp", 0)
        program = instance.open(PROGRAM_XDP)
        library.detach_xdp(index, program)
        os.close(program)
    if flags & _abi.ATTACHED_TC:
        library.detach_tc(index, HANDLE, PRIORITY)
    if flags & _abi.ATTACHED_EGRESS:
        library.detach_tc(index, HANDLE, PRIORITY, TC_EGRESS)
    if flags & _abi.OWNS_QDISC and tc.has_clsact(index) and not tc.has_filters(index):
        library.remove_clsact(index)
    del instance.attachments[_WORD.pack(index)]
