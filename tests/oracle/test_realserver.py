# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 12's kernel 6.1: the real server's agent loads, ends tunnels, and tells clients from TOA there too."""

from __future__ import annotations

import pytest

import vm
from compile_bpf import ROOT
from tests.lab.test_realserver_toa import TOLD
from tests.packets.test_realserver import FAMILIES, WRAPS

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(1500)]

VM_S = 1200
# The machine mounts no cgroups of its own accord.
COMMAND = f"""\
uname -r
mkdir -p /tmp/cgroup && mount -t cgroup2 none /tmp/cgroup && mkdir /tmp/cgroup/web &&
PYTHONPATH=. {ROOT}/.venv/bin/python tests/oracle/realserver_player.py /tmp/cgroup/web
"""


def test_the_agent_works_on_6_1() -> None:
    try:
        done = vm.run(COMMAND, VM_S)
    except vm.VmUnavailableError as error:
        pytest.skip(str(error))
    # scapy misses routes that it does not need
    kernel, *lines = [line for line in done.output.splitlines() if not line.startswith("WARNING: No route found")]
    assert kernel.startswith("6.1.0-")
    assert done.code == 0, done.output
    tunnels = [f"{kind} {inner} in {outer}: right" for kind in WRAPS for outer in FAMILIES for inner in FAMILIES]
    assert lines == [*tunnels, *(f"{name}: right" for name in TOLD), "played"]
