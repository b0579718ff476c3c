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


# A folder of symbolic links, which bpffs takes too, removed by a child that dies at its first, second ... step.
KILLED = """
import itertools, os, signal
from bpvs.kernel import bpffs

bpffs.mount()
folder = f"{bpffs.root()}/test-{os.getpid()}/whole"

def killed_at(call):
    left = itertools.count(1)

    def fatal(before):
        def step(*arguments):
            if next(left) == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return before(*arguments)
        return step

    for name in ("rename", "unlink", "rmdir"):
        setattr(os, name, fatal(getattr(os, name)))

for call in itertools.count(1):
    os.makedirs(folder)
    for name in "abc":
        os.symlink("/", f"{folder}/{name}")
    if not os.fork():
        killed_at(call)
        bpffs.remove(folder)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.wait()[1])
    print(status, *os.listdir(folder) if os.path.exists(folder) else "-")
    if os.path.exists(folder):
        bpffs.remove(folder)
    bpffs.forget_unfinished(folder)
    assert not os.listdir(os.path.dirname(folder))
    if not status:
        break
os.rmdir(os.path.dirname(folder))
"""


def test_a_folder_is_whole_or_not_there_whenever_its_removal_is_killed() -> None:
    done = run([*WORLD, sys.executable, "-c", KILLED]).checked()
    whole, *gone, last = done.out.splitlines()
    assert sorted(whole.split()) == ["-9", "a", "b", "c"]
    assert set(gone) == {"-9 -"}
    assert last == "0 -"
