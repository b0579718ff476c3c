# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 12's kernel 6.1 has VLAN interfaces, which not every kernel has: the lab's tests of them, in the machine."""

from __future__ import annotations

import pytest

from compile_bpf import ROOT
from tests.oracle.machine import play

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(1500)]

VM_S = 1200
TESTS = f"{ROOT}/.venv/bin/python -m pytest -q -p no:cacheprovider -p no:xdist tests/lab/test_vlan.py -k 'not priority'"


def test_lab_with_vlans() -> None:
    said = play({"vlan": f"modprobe 8021q && BPVS_PATIENCE=20 PYTHONPATH=src {TESTS}"}, VM_S)["vlan"]
    assert said.code == 0, said.output
    assert "skipped" not in said.output
