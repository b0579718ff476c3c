# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 12's kernel 6.1: the real server's agent loads, ends tunnels, and tells clients from TOA there too."""

from __future__ import annotations

import re

import pytest

import vm
from compile_bpf import ROOT

pytestmark = [pytest.mark.oracle, pytest.mark.timeout(1800)]

VM_S = 1500
TESTS = ("tests/lab/test_realserver_toa.py", "tests/lab/test_realserver.py", "tests/packets/test_realserver.py")
# The machine has no cgroup file system of its own accord, and its tests are slow to start.
COMMAND = (
    "mkdir -p /tmp/cgroup && mount -t cgroup2 none /tmp/cgroup && "
    f"{ROOT}/.venv/bin/python -m pytest -q -p no:cacheprovider --timeout {VM_S} {' '.join(TESTS)}"
)


def test_the_agents_tests_pass_on_6_1() -> None:
    try:
        done = vm.run(f"uname -r; {COMMAND}", VM_S)
    except vm.VmUnavailableError as error:
        pytest.skip(str(error))
    assert done.output.startswith("6.1.0-")
    assert done.code == 0, done.output
    passed = re.search(r"^(\d+) passed in", done.output, re.MULTILINE)
    assert passed, done.output
    assert int(passed[1]) > 200
