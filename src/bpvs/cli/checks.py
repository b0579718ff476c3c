# SPDX-License-Identifier: GPL-2.0-or-later
"""The doctor's judgement: pure functions from facts to lines, one function per subject."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from bpvs.cli.facts import Facts, Interface
from bpvs.director.marks import FORWARDING
from bpvs.model import Family
from bpvs.net.detour import IN, OUT
from bpvs.net.driver import has_native_xdp
from bpvs.net.siding import DONE, WAIT

OLDEST_KERNEL = (6, 1)
# linux/capability.h
_NEEDED_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_BPF": 39}
_STRICT = 1
_NAMES = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}


class Level(Enum):
    """Green: as it should be. Yellow: works, but know this. Red: BPVS cannot work."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor; `fix` is a command, empty when there is nothing to do."""

    subject: str
    level: Level
    text: str
    fix: str = ""


def examine(facts: Facts) -> list[Finding]:
    """Every finding, the conditions for loading first."""
    return [
        kernel(facts),
        btf(facts),
        jit(facts),
        bpffs(facts),
        capabilities(facts),
        libbpf(facts),
        programs(facts),
        *interfaces(facts),
        siding(facts),
        detour(facts),
        ip_forward(facts),
        ip6_forward(facts),
        rp_filter(facts),
        kernel_ipvs(facts),
    ]


def kernel(facts: Facts) -> Finding:
    """6.1 is the oldest kernel whose verifier and helpers the data plane is built for."""
    oldest = ".".join(map(str, OLDEST_KERNEL))
    found = re.match(r"(\d+)\.(\d+)", facts.kernel)
    if found and (int(found[1]), int(found[2])) >= OLDEST_KERNEL:
        return Finding("kernel", Level.GREEN, f"{facts.kernel} ({oldest} or newer)")
    return Finding(
        "kernel",
        Level.RED,
        f"{facts.kernel} is older than {oldest}, which brought what the data plane uses",
        "apt-get install linux-image-amd64 && reboot",
    )


def btf(facts: Facts) -> Finding:
    """The loader fits the programs to the running kernel by its type information."""
    if facts.btf:
        return Finding("btf", Level.GREEN, "type information in /sys/kernel/btf/vmlinux")
    return Finding(
        "btf",
        Level.RED,
        "/sys/kernel/btf/vmlinux is missing: this kernel was built without CONFIG_DEBUG_INFO_BTF",
        "apt-get install linux-image-amd64 && reboot",
    )


def jit(facts: Facts) -> Finding:
    """Without the JIT everything works, only slowly."""
    if facts.jit is None:
        return Finding(
            "jit", Level.YELLOW, "cannot be told from this namespace", "nsenter --net=/proc/1/ns/net bpvs doctor"
        )
    if facts.jit:
        return Finding("jit", Level.GREEN, "BPF programs run as machine code")
    return Finding(
        "jit", Level.YELLOW, "off: programs are interpreted, many times slower", "sysctl -w net.core.bpf_jit_enable=1"
    )


def bpffs(facts: Facts) -> Finding:
    """Pins live in a bpffs; BPVS mounts its own if the kernel has the file system at all."""
    if facts.bpffs_mounts:
        return Finding("bpffs", Level.GREEN, f"mounted on {', '.join(facts.bpffs_mounts)}")
    if facts.bpf_filesystem:
        return Finding("bpffs", Level.GREEN, "not mounted; BPVS mounts its own when it loads")
    return Finding(
        "bpffs",
        Level.RED,
        "this kernel has no bpf file system: it was built without CONFIG_BPF_SYSCALL",
        "apt-get install linux-image-amd64 && reboot",
    )


def capabilities(facts: Facts) -> Finding:
    """Loading takes CAP_BPF, attaching CAP_NET_ADMIN, mounting CAP_SYS_ADMIN."""
    missing = [name for name, bit in _NEEDED_CAPABILITIES.items() if not facts.capabilities >> bit & 1]
    if not missing:
        return Finding("capabilities", Level.GREEN, f"has {', '.join(_NEEDED_CAPABILITIES)}")
    return Finding("capabilities", Level.RED, f"lacks {', '.join(missing)}", "sudo bpvs doctor")


def libbpf(facts: Facts) -> Finding:
    """Wherever iproute2 is, there is libbpf on most distributions."""
    if facts.libbpf:
        return Finding("libbpf", Level.GREEN, f"libbpf.so.1, version {facts.libbpf}")
    return Finding("libbpf", Level.RED, "libbpf.so.1 is not installed", "apt-get install libbpf1")


def programs(facts: Facts) -> Finding:
    """A wheel carries the compiled programs, a checkout makes them."""
    if not facts.missing_programs:
        return Finding("programs", Level.GREEN, "the compiled data plane is installed")
    return Finding("programs", Level.RED, f"not compiled: {', '.join(facts.missing_programs)}", "make setup")


def interfaces(facts: Facts) -> list[Finding]:
    """For each interface that a director listens on: XDP or TC, and why."""
    if not facts.interfaces:
        return [Finding("interface", Level.YELLOW, "there is no Ethernet interface: only local clients", "ip link")]
    return [_interface(one) for one in facts.interfaces]


def _interface(one: Interface) -> Finding:
    known = one.driver or one.kind or "unknown"
    loaded = f"; XDP program {one.xdp_program} is attached ({one.xdp_mode})" if one.xdp_program else ""
    if has_native_xdp(one.driver):
        return Finding(f"interface {one.name}", Level.GREEN, f"driver {known}: XDP in the driver{loaded}")
    if one.kind:
        text = f"{one.kind}: TC, which is right for a virtual interface{loaded}"
        return Finding(f"interface {one.name}", Level.GREEN, text)
    return Finding(
        f"interface {one.name}", Level.YELLOW, f"driver {known} without XDP of its own: TC, slower but complete"
    )


def siding(facts: Facts) -> Finding:
    """The pair of interfaces by which packets come back finished, or later."""
    known = facts.siding
    if known.stands:
        return Finding("siding", Level.GREEN, f"{DONE} and {WAIT} stand")
    if known.obstacle is None:
        return Finding("siding", Level.YELLOW, "cannot be told without root's rights", "sudo bpvs doctor")
    if known.obstacle:
        text = f"{known.obstacle}: packets that have to wait or to be finished cannot be"
        return Finding("siding", Level.YELLOW, text)
    if known.wanted:
        return Finding("siding", Level.YELLOW, f"{DONE} and {WAIT} are gone or not as they were built", "bpvs up")
    return Finding("siding", Level.GREEN, f"not built; BPVS makes {DONE} and {WAIT} when it loads")


def detour(facts: Facts) -> Finding:
    """The way to the data path of what netfilter marks; rules of `bpvs mark` need none."""
    known = facts.detour
    if known.families is None:
        return Finding("detour", Level.YELLOW, "cannot be told without root's rights", "sudo bpvs doctor")
    if not known.families:
        return Finding("detour", Level.GREEN, "there is no service by mark that needs it")
    if not known.stands:
        text = f"{OUT} and {IN} are missing or not as they were built: marks of netfilter count for nothing"
        return Finding("detour", Level.YELLOW, text, "bpvs up")
    for family, value in ((Family.IPV4, facts.ip_forward), (Family.IPV6, facts.ip6_forward)):
        if family in known.families and not value:
            text = f"{_NAMES[family]} forwarding is off: marks of netfilter count only where it is on"
            return Finding("detour", Level.YELLOW, text, f"sysctl -w {FORWARDING[family]}=1")
    return Finding("detour", Level.GREEN, f"{OUT} and {IN} bring what netfilter marks")


def ip_forward(facts: Facts) -> Finding:
    """Replies of real servers to clients on other hosts pass the forwarding path."""
    return _forwarding("ip_forward", "IPv4", facts.ip_forward, FORWARDING[Family.IPV4])


def ip6_forward(facts: Facts) -> Finding:
    """The same for IPv6."""
    return _forwarding("ip6_forward", "IPv6", facts.ip6_forward, FORWARDING[Family.IPV6])


def _forwarding(subject: str, family: str, value: int | None, setting: str) -> Finding:
    if value is None:
        return Finding(subject, Level.YELLOW, f"this kernel has no {family}: {family} services cannot work")
    if value:
        return Finding(subject, Level.GREEN, f"{family} forwarding is on")
    return Finding(
        subject,
        Level.YELLOW,
        f"{family} forwarding is off: NAT for clients on other hosts needs it",
        f"sysctl -w {setting}=1",
    )


def rp_filter(facts: Facts) -> Finding:
    """The larger of an interface's and all's value counts; 1 is strict (RFC 3704)."""
    strict = [one.name for one in facts.interfaces if max(one.rp_filter, facts.rp_filter) == _STRICT]
    if not strict:
        return Finding("rp_filter", Level.GREEN, "no interface checks source addresses strictly")
    fix = " ".join(f"net.ipv4.conf.{name.replace('.', '/')}.rp_filter=2" for name in strict)
    return Finding(
        "rp_filter",
        Level.YELLOW,
        f"strict on {', '.join(strict)}: packets whose way back leads elsewhere are dropped",
        f"sysctl -w {fix}",
    )


def kernel_ipvs(facts: Facts) -> Finding:
    """Two balancers for one service is a mistake that is easy to overlook."""
    if facts.kernel_services is None:
        return Finding("kernel ipvs", Level.GREEN, "not loaded: BPVS balances alone")
    if not facts.kernel_services:
        return Finding("kernel ipvs", Level.GREEN, "loaded, without services")
    return Finding(
        "kernel ipvs",
        Level.YELLOW,
        f"has {len(facts.kernel_services)} services of its own; for a service in both tables BPVS comes first",
        "/sbin/ipvsadm --clear",
    )
