# SPDX-License-Identifier: GPL-2.0-or-later
"""The bpffs that everything is pinned in, mounted by the first command on a machine, however many are first."""

from __future__ import annotations

import sys

import pytest

from bpvs.lab.shell import run

pytestmark = pytest.mark.root

# In a world of its own: what is mounted there goes with it, and its first process is the one whose mounts count.
WORLD = ("unshare", "--mount", "--pid", "--fork", "--mount-proc")
ROUNDS = 300
SCRIPT = f"""
import os, subprocess, time
from bpvs.kernel import bpffs

def mounts():
    with open("/proc/self/mounts") as file:
        return sum(line.split()[1] == bpffs.ROOT for line in file)

while mounts():
    subprocess.run(["umount", bpffs.ROOT], check=True)
for _ in range({ROUNDS}):
    start = time.monotonic() + 0.02
    for _ in range(2):
        if not os.fork():
            while time.monotonic() < start:
                pass
            bpffs.mount()
            os._exit(0)
    for _ in range(2):
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    print(mounts())
    while mounts():
        subprocess.run(["umount", bpffs.ROOT], check=True)
"""


def test_commands_that_are_all_the_first_mount_it_once() -> None:
    done = run([*WORLD, sys.executable, "-c", SCRIPT], seconds=60).checked()
    assert done.out.split() == ["1"] * ROUNDS
