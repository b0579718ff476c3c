# SPDX-License-Identifier: GPL-2.0-or-later
"""SCTP associations of the kernel's own stack through BPVS go as they do through the kernel's IPVS, state by state."""

from __future__ import annotations

import re
import sys

import pytest

import vm
from compile_bpf import ROOT
from tests.oracle.machine import play

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(1500)]

PLAYER = f"{sys.executable} tests/oracle/sctp_player.py"
PARTS = {
    "bpvs": f"modprobe sctp && {PLAYER} {ROOT}/.venv/bin/ipvsadm",
    "traces": "ip netns list; find /run/bpvs -mindepth 1 2>/dev/null",
    "ipvs": f"modprobe ip_vs && {PLAYER} /usr/sbin/ipvsadm",
}
VM_S = 1200
CONVERSATIONS = 6


@pytest.fixture(scope="module")
def parts() -> dict[str, vm.Result]:
    """Each part's output and exit code."""
    return play(PARTS, VM_S)


def test_the_real_ipvs_carries_every_association(parts: dict[str, vm.Result]) -> None:
    real = parts["ipvs"]
    assert real.code == 0, real.output
    assert real.output.count("echoed 200000 bytes") == CONVERSATIONS
    states = set(re.findall(r"^SCTP TIMER\s+(\S+)", real.output, re.MULTILINE))
    assert states == {"ESTABLISHED", "CLOSED", "REJECTED"}


def test_bpvs_gives_the_transcript_of_the_real_ipvs(parts: dict[str, vm.Result]) -> None:
    assert parts["bpvs"].output.splitlines() == parts["ipvs"].output.splitlines()
    assert parts["bpvs"].code == 0


def test_nothing_of_bpvs_stays_behind(parts: dict[str, vm.Result]) -> None:
    assert parts["traces"].output.strip() == ""
