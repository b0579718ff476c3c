# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 12's kernel 6.1: the data plane loads there, and the tutorial goes as it does on the kernel's own IPVS."""

from __future__ import annotations

import re
import sys

import pytest

import vm
from compile_bpf import ROOT
from tests.oracle.machine import play

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(1500)]

BIN = ROOT / ".venv/bin"
PLAYER = f"{sys.executable} tests/oracle/tutorial_player.py"
# One boot runs them all, BPVS first: on a kernel that has not loaded IPVS.
PARTS = {
    "kernel": "uname -r",
    "demo": f"{BIN}/bpvs demo",
    "bpvs": f"{PLAYER} {BIN}/ipvsadm",
    "traces": "ip netns list; find /run/bpvs -mindepth 1 2>/dev/null",
    "ipvs": f"modprobe ip_vs && {PLAYER} /usr/sbin/ipvsadm",
}
VM_S = 1200


@pytest.fixture(scope="module")
def parts() -> dict[str, vm.Result]:
    """Each part's output and exit code."""
    return play(PARTS, VM_S)


def test_the_kernel_is_debians(parts: dict[str, vm.Result]) -> None:
    assert parts["kernel"].output.startswith("6.1.0-")


def test_the_demo_runs_to_its_end_with_both_servers_answering(parts: dict[str, vm.Result]) -> None:
    demo = parts["demo"]
    assert demo.code == 0, demo.output
    assert {"192.168.122.50", "192.168.122.51"} <= set(demo.output.splitlines())


def test_the_real_ipvs_plays_the_tutorial(parts: dict[str, vm.Result]) -> None:
    real = parts["ipvs"]
    assert real.code == 0, real.output
    answers = re.findall(r"^\$ curl [0-9.]+\n([0-9.]+)$", real.output, re.MULTILINE)
    assert answers == ["192.168.122.51", "192.168.122.50"] * 4


def test_bpvs_gives_the_transcript_of_the_real_ipvs(parts: dict[str, vm.Result]) -> None:
    assert parts["bpvs"].output.splitlines() == parts["ipvs"].output.splitlines()
    assert parts["bpvs"].code == 0


def test_nothing_of_bpvs_stays_behind(parts: dict[str, vm.Result]) -> None:
    assert parts["traces"].output.strip() == ""
