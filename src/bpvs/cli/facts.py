# SPDX-License-Identifier: GPL-2.0-or-later
"""What the doctor wants to know of this host, gathered in one place; judging it is `checks`'s work."""

from __future__ import annotations

import ctypes
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import bpvs
from bpvs.kernel import bpffs
from bpvs.kernel.instance import Instance
from bpvs.model import BpvsError, Family
from bpvs.net import detour, namespace, siding, sysctl
from bpvs.net.driver import driver
from bpvs.net.links import attachable, links

# Looked for by name, because importing the loader fails where nothing is compiled.
_OBJECTS = Path(bpvs.__file__).parent / "kernel" / "objects"
_PROGRAMS = ("director_tc", "director_xdp", "housekeeper")


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface that packets to balance can come from; `xdp_program` is a program that is attached, or 0."""

    name: str
    kind: str
    driver: str
    xdp_mode: str
    xdp_program: int
    rp_filter: int


@dataclass(frozen=True, slots=True)
class SidingFacts:
    """BPVS's own veth pair: whether a data plane is loaded that wants it, and whether it stands whole.

    `obstacle`: why it cannot be built, "" if it can or stands, None where that cannot be told without root's rights.
    """

    wanted: bool
    stands: bool
    obstacle: str | None


@dataclass(frozen=True, slots=True)
class DetourFacts:
    """The way of packets that netfilter marks: the families with services by mark, and whether it stands for them.

    `families` is None where that cannot be told without root's rights.
    """

    families: tuple[Family, ...] | None
    stands: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """One host, in one network namespace; None where it cannot be told from here.

    `capabilities` is the effective set as in /proc/PID/status; `jit` is net.core.bpf_jit_enable; `rp_filter` that of
    `all` (an interface's effective value is the larger one); `kernel_services` the service lines of /proc/net/ip_vs,
    None if that IPVS is not loaded; `missing_programs` are paths of compiled programs that should be there.
    """

    kernel: str
    btf: bool
    jit: int | None
    bpf_filesystem: bool
    bpffs_mounts: tuple[str, ...]
    capabilities: int
    libbpf: str | None
    missing_programs: tuple[str, ...]
    interfaces: tuple[Interface, ...]
    ip_forward: int | None
    ip6_forward: int | None
    rp_filter: int
    kernel_services: tuple[str, ...] | None
    siding: SidingFacts
    detour: DetourFacts


def gather() -> Facts:
    """Reads this host; changes nothing and needs no rights."""
    return Facts(
        kernel=platform.release(),
        btf=Path("/sys/kernel/btf/vmlinux").exists(),
        jit=_jit(),
        bpf_filesystem="bpf" in Path("/proc/filesystems").read_text(encoding="ascii").split(),
        bpffs_mounts=_bpffs_mounts(),
        capabilities=_capabilities(),
        libbpf=_libbpf(),
        missing_programs=_missing_programs(),
        interfaces=_interfaces(),
        ip_forward=_setting("net.ipv4.ip_forward"),
        ip6_forward=_setting("net.ipv6.conf.all.forwarding"),
        rp_filter=_setting("net.ipv4.conf.all.rp_filter") or 0,
        kernel_services=_kernel_services(),
        siding=_siding(),
        detour=_detour(),
    )


def _setting(name: str) -> int | None:
    try:
        return int(sysctl.read(name))
    except OSError:
        return None


def _jit() -> int | None:
    """The setting exists in the first network namespace alone."""
    here = _setting("net.core.bpf_jit_enable")
    if here is not None:
        return here
    try:
        with namespace.inside("/proc/1/ns/net"):
            return _setting("net.core.bpf_jit_enable")
    except OSError:
        return None


def _bpffs_mounts() -> tuple[str, ...]:
    fields = (line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines())
    return tuple(words[1] for words in fields if words[2] == "bpf")


def _capabilities() -> int:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            return int(value, 16)
    return 0


def _libbpf() -> str | None:
    try:
        library = ctypes.CDLL("libbpf.so.1")
        library.libbpf_version_string.restype = ctypes.c_char_p
        version: bytes = library.libbpf_version_string()
    except (OSError, AttributeError):
        return None
    return version.decode("ascii").removeprefix("v")


def _missing_programs() -> tuple[str, ...]:
    files = (_OBJECTS / f"{name}.bpf.o" for name in _PROGRAMS)
    return tuple(str(file) for file in files if not file.exists())


def _interfaces() -> tuple[Interface, ...]:
    return tuple(
        Interface(
            name=link.name,
            kind=link.kind,
            driver=driver(link.name),
            xdp_mode=link.xdp_mode,
            xdp_program=link.xdp_program,
            rp_filter=_setting(f"net.ipv4.conf.{link.name.replace('.', '/')}.rp_filter") or 0,
        )
        for link in attachable(links())
        if not link.is_loopback
    )


def _kernel_services() -> tuple[str, ...] | None:
    try:
        lines = Path("/proc/net/ip_vs").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return tuple(line.strip() for line in lines[3:] if not line.lstrip().startswith("->"))


def _siding() -> SidingFacts:
    found = siding.find(links())
    if found is not None and found.has_queue:
        return SidingFacts(_is_loaded(), stands=True, obstacle="")
    try:
        return SidingFacts(_is_loaded(), stands=False, obstacle=siding.obstacle())
    except OSError:
        return SidingFacts(_is_loaded(), stands=False, obstacle=None)


def _is_loaded() -> bool:
    try:
        return os.path.exists(os.path.join(bpffs.root(), f"{namespace.cookie():x}"))
    except OSError:  # a kernel on which nothing can be loaded: its namespaces have no cookie
        return False


def _detour() -> DetourFacts:
    try:
        instance = Instance.find(namespace.cookie()) if _is_loaded() else None
    except (OSError, BpvsError):
        return DetourFacts(None, stands=False)
    if instance is None:
        return DetourFacts((), stands=False)
    fields = {Family.IPV4: "marked_ipv4", Family.IPV6: "marked_ipv6"}
    families = tuple(family for family, field in fields.items() if instance.settings.load(0, field))
    found = detour.find(links())
    return DetourFacts(families, stands=found is not None and found[1] == instance.settings.load(0, "detour"))
