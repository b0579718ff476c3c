# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 12's kernel 6.1: BPVS's tunnels end in the kernel's own devices, and the kernel's IPVS's in BPVS's agent."""

from __future__ import annotations

import re

import pytest

import vm
from compile_bpf import ROOT
from tests.oracle.tunnel_player import KINDS

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(1500)]

VM_S = 1200
PLAYER = f"PYTHONPATH=. {ROOT}/.venv/bin/python tests/oracle/tunnel_player.py"
PARTS = ("device", "ipvs")


@pytest.fixture(scope="module")
def output() -> str:
    """What both players said, in one boot."""
    script = "\n".join(f"{PLAYER} {part} 2>&1\nprintf '=== {part} ended with %d\\n' $?" for part in PARTS)
    try:
        return vm.run(script, VM_S).output
    except vm.VmUnavailableError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("part", PARTS)
def test_each_kind_of_tunnel_carries_requests_and_uploads(output: str, part: str) -> None:
    found = re.search(rf"((?:(?!===).*\n)*)=== {part} ended with (\d+)\n", output)
    assert found, output
    assert found[1].splitlines() == [f"{kind}: one, whole" for kind in KINDS], output
    assert found[2] == "0"
