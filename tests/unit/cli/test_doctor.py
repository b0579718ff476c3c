# SPDX-License-Identifier: GPL-2.0-or-later
"""The doctor's judgement of hosts that are made up, and its lines."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bpvs.cli.checks import Finding, Level, examine
from bpvs.cli.doctor import as_json, as_text, main
from bpvs.cli.facts import DetourFacts, Facts, Interface, SidingFacts, gather
from bpvs.cli.style import Style
from bpvs.model import Family

ETH0 = Interface("eth0", "", "ixgbe", "", 0, 0)
HEALTHY = Facts(
    kernel="6.1.0-56-amd64",
    btf=True,
    jit=1,
    bpf_filesystem=True,
    bpffs_mounts=("/sys/fs/bpf",),
    capabilities=(1 << 41) - 1,
    libbpf="1.1",
    missing_programs=(),
    interfaces=(ETH0,),
    ip_forward=1,
    ip6_forward=1,
    rp_filter=0,
    kernel_services=None,
    siding=SidingFacts(wanted=True, stands=True, obstacle=""),
    detour=DetourFacts(tuple(Family), stands=True),
)


def finding(facts: Facts, subject: str) -> Finding:
    (found,) = [one for one in examine(facts) if one.subject == subject]
    return found


def test_a_healthy_host_is_all_green_and_needs_no_fix() -> None:
    assert {one.level for one in examine(HEALTHY)} == {Level.GREEN}
    assert [one.fix for one in examine(HEALTHY) if one.fix] == []


def test_subjects_are_different() -> None:
    subjects = [one.subject for one in examine(HEALTHY)]
    assert len(subjects) == len(set(subjects))


@pytest.mark.parametrize(
    ("release", "level"),
    [
        ("6.1.0-56-amd64", Level.GREEN),
        ("6.18.44", Level.GREEN),
        ("10.0", Level.GREEN),
        ("6.0.19", Level.RED),
        ("5.15.0-91-generic", Level.RED),
        ("unknown", Level.RED),
    ],
)
def test_the_oldest_kernel_is_6_1(release: str, level: Level) -> None:
    assert finding(replace(HEALTHY, kernel=release), "kernel").level is level


@pytest.mark.parametrize(
    ("facts", "subject", "text", "fix"),
    [
        (replace(HEALTHY, btf=False), "btf", "CONFIG_DEBUG_INFO_BTF", "apt-get install linux-image-amd64"),
        (replace(HEALTHY, bpffs_mounts=(), bpf_filesystem=False), "bpffs", "CONFIG_BPF_SYSCALL", "apt-get install"),
        (replace(HEALTHY, capabilities=0), "capabilities", "lacks CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_BPF", "sudo bpvs"),
        (replace(HEALTHY, capabilities=~(1 << 39)), "capabilities", "lacks CAP_BPF", "sudo bpvs doctor"),
        (replace(HEALTHY, libbpf=None), "libbpf", "libbpf.so.1 is not installed", "apt-get install libbpf1"),
        (replace(HEALTHY, missing_programs=("/x.bpf.o",)), "programs", "/x.bpf.o", "make setup"),
    ],
)
def test_what_makes_loading_impossible_is_red_with_a_fix(facts: Facts, subject: str, text: str, fix: str) -> None:
    found = finding(facts, subject)
    assert found.level is Level.RED
    assert text in found.text
    assert fix in found.fix


@pytest.mark.parametrize(
    ("facts", "subject", "text", "fix"),
    [
        (replace(HEALTHY, jit=0), "jit", "interpreted", "sysctl -w net.core.bpf_jit_enable=1"),
        (replace(HEALTHY, jit=None), "jit", "cannot be told", "nsenter --net=/proc/1/ns/net bpvs doctor"),
        (replace(HEALTHY, ip_forward=0), "ip_forward", "off", "sysctl -w net.ipv4.ip_forward=1"),
        (replace(HEALTHY, ip6_forward=0), "ip6_forward", "off", "sysctl -w net.ipv6.conf.all.forwarding=1"),
        (replace(HEALTHY, ip6_forward=None), "ip6_forward", "no IPv6", ""),
        (replace(HEALTHY, rp_filter=1), "rp_filter", "strict on eth0", "sysctl -w net.ipv4.conf.eth0.rp_filter=2"),
        (replace(HEALTHY, kernel_services=("TCP  0A000001:0050 rr",)), "kernel ipvs", "1 service", "--clear"),
        (
            replace(HEALTHY, siding=SidingFacts(wanted=True, stands=False, obstacle="")),
            "siding",
            "gone or not as they were built",
            "bpvs up",
        ),
        (
            replace(HEALTHY, siding=SidingFacts(wanted=False, stands=False, obstacle="this kernel has no tbf")),
            "siding",
            "this kernel has no tbf: packets that have to wait",
            "",
        ),
        (
            replace(HEALTHY, siding=SidingFacts(wanted=False, stands=False, obstacle=None)),
            "siding",
            "without root",
            "sudo bpvs doctor",
        ),
        (
            replace(HEALTHY, detour=DetourFacts((Family.IPV4,), stands=False)),
            "detour",
            "bpvs-m and bpvs-n are missing",
            "bpvs up",
        ),
        (replace(HEALTHY, ip_forward=0), "detour", "IPv4 forwarding is off", "sysctl -w net.ipv4.ip_forward=1"),
        (replace(HEALTHY, ip6_forward=0), "detour", "IPv6 forwarding is off", "net.ipv6.conf.all.forwarding=1"),
        (replace(HEALTHY, detour=DetourFacts(None, stands=False)), "detour", "without root", "sudo bpvs doctor"),
        (replace(HEALTHY, interfaces=()), "interface", "no Ethernet interface", "ip link"),
        (
            replace(HEALTHY, interfaces=(replace(ETH0, driver="e1000"),)),
            "interface eth0",
            "driver e1000 without XDP",
            "",
        ),
    ],
)
def test_what_is_worth_knowing_is_yellow(facts: Facts, subject: str, text: str, fix: str) -> None:
    found = finding(facts, subject)
    assert found.level is Level.YELLOW
    assert text in found.text
    assert fix in found.fix


@pytest.mark.parametrize(
    ("facts", "subject", "text"),
    [
        (replace(HEALTHY, bpffs_mounts=()), "bpffs", "mounts its own"),
        (replace(HEALTHY, kernel_services=()), "kernel ipvs", "without services"),
        (HEALTHY, "siding", "bpvs-a and bpvs-b stand"),
        (replace(HEALTHY, siding=SidingFacts(wanted=False, stands=False, obstacle="")), "siding", "when it loads"),
        (replace(HEALTHY, ip_forward=0, detour=DetourFacts((), stands=False)), "detour", "no service by mark"),
        (replace(HEALTHY, ip_forward=0, detour=DetourFacts((Family.IPV6,), stands=True)), "detour", "what netfilter"),
        (replace(HEALTHY, rp_filter=2, interfaces=(replace(ETH0, rp_filter=1),)), "rp_filter", "no interface"),
        (replace(HEALTHY, interfaces=(Interface("veth0", "veth", "veth", "", 0, 0),)), "interface veth0", "veth: TC"),
        (HEALTHY, "interface eth0", "driver ixgbe: XDP in the driver"),
        (
            replace(HEALTHY, interfaces=(replace(ETH0, xdp_mode="native", xdp_program=7),)),
            "interface eth0",
            "XDP in the driver; XDP program 7 is attached (native)",
        ),
    ],
)
def test_what_is_fine_is_green(facts: Facts, subject: str, text: str) -> None:
    found = finding(facts, subject)
    assert found.level is Level.GREEN
    assert text in found.text


def test_an_interface_name_with_a_dot_is_written_for_sysctl() -> None:
    facts = replace(HEALTHY, interfaces=(replace(ETH0, name="eth0.5", rp_filter=1),))
    assert finding(facts, "rp_filter").fix == "sysctl -w net.ipv4.conf.eth0/5.rp_filter=2"


FINDINGS = [Finding("kernel", Level.GREEN, "6.1"), Finding("btf", Level.RED, "missing", "reboot")]


def test_plain_lines_tell_the_level_in_words() -> None:
    assert as_text(FINDINGS, Style(colour=False, unicode=False)) == (
        "+ green  kernel  6.1\n"
        "x red    btf     missing\n"
        "                 fix: reboot\n"
        "BPVS cannot work here until 1 red line is fixed.\n"
    )


def test_coloured_lines_tell_it_by_colour() -> None:
    lines = as_text(FINDINGS, Style(colour=True, unicode=True)).splitlines()
    assert lines[0] == "\x1b[32m✔\x1b[0m kernel  6.1"
    assert lines[2] == "          \x1b[1mfix: reboot\x1b[0m"


@pytest.mark.parametrize(
    ("levels", "verdict"),
    [
        ([Level.GREEN], "all is green"),
        ([Level.YELLOW], "1 yellow line to know of"),
        ([Level.YELLOW, Level.YELLOW], "2 yellow lines"),
        ([Level.RED, Level.RED, Level.YELLOW], "until 2 red lines are fixed"),
    ],
)
def test_the_last_line_sums_up(levels: list[Level], verdict: str) -> None:
    text = as_text([Finding("one", level, "") for level in levels], Style(colour=False, unicode=True))
    assert verdict in text.splitlines()[-1]


def test_json_says_the_same() -> None:
    assert json.loads(as_json(FINDINGS)) == {
        "works": False,
        "findings": [
            {"subject": "kernel", "level": "green", "text": "6.1", "fix": ""},
            {"subject": "btf", "level": "red", "text": "missing", "fix": "reboot"},
        ],
    }
    assert json.loads(as_json(FINDINGS[:1]))["works"] is True


def test_this_host_can_be_examined_and_the_exit_code_follows(capsys: pytest.CaptureFixture[str]) -> None:
    red = any(one.level is Level.RED for one in examine(gather()))
    assert main(["--json"]) == (1 if red else 0)
    assert json.loads(capsys.readouterr().out)["works"] is not red
