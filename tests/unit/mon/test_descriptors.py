# SPDX-License-Identifier: GPL-2.0-or-later
"""Each in a process of its own: limits and descriptors belong to the whole process."""

from __future__ import annotations

import subprocess
import sys


def printed(code: str, before: str = "") -> str:
    words = ["sh", "-c", f'{before} exec "$@"', "sh", sys.executable, "-c", code]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def test_the_limit_is_raised_for_us_and_not_for_children() -> None:
    code = """
import resource, subprocess
from bpvs.mon.descriptors import raise_limit, restore_limit
room = raise_limit()
child = subprocess.Popen(["sleep", "60"])
restore_limit(child.pid)
print(room, resource.getrlimit(7)[0], resource.prlimit(child.pid, 7)[0])
child.kill()
"""
    assert printed(code, "ulimit -n 512; ulimit -Sn 256;") == "128 512 256"


def test_what_was_inherited_is_passed_on_to_nobody_and_the_first_three_are_open() -> None:
    code = """
import os, subprocess
from bpvs.mon.descriptors import keep_own
keep_own()
assert not os.get_inheritable(7) and os.readlink("/proc/self/fd/0") == "/dev/null"
print(subprocess.run(["ls", "/proc/self/fd"], close_fds=False, capture_output=True, text=True).stdout.split())
"""
    assert printed(code, "exec 7</dev/null 0<&-;") == "['0', '1', '2', '3']"
