# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 12's kernel 6.1: BPVS's tunnels end in the kernel's own devices, and the kernel's IPVS's in BPVS's agent."""

from __future__ import annotations

import pytest

import vm
from compile_bpf import ROOT
from tests.oracle.machine import play
from tests.oracle.tunnel_player import KINDS

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(1500)]

VM_S = 1200
PLAYER = f"PYTHONPATH=. BPVS_PATIENCE=4 {ROOT}/.venv/bin/python tests/oracle/tunnel_player.py"
PARTS = ("device", "ipvs")


@pytest.fixture(scope="module")
def results() -> dict[str, vm.Result]:
    """What both players said, in one boot."""
    return play({part: f"{PLAYER} {part}" for part in PARTS}, VM_S)


@pytest.mark.parametrize("part", PARTS)
def test_each_kind_of_tunnel_carries_requests_and_uploads(results: dict[str, vm.Result], part: str) -> None:
    said, code = results[part].output, results[part].code
    assert (said.splitlines(), code) == ([f"{kind}: one, whole, 0 refused" for kind in KINDS], 0)
