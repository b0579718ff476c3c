# SPDX-License-Identifier: GPL-2.0-or-later
"""What the set-up says when it cannot go on, and what make offers."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from compile_bpf import ROOT

NOBODY = "65534"
ABSENT = "no-such-package"
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="needs Debian's dpkg-query")


def bash(script: str, *prefix: str) -> subprocess.CompletedProcess[str]:
    """Run a script after tools/packages.sh was read; the prefix changes who runs it."""
    whole = f"source {ROOT}/tools/packages.sh\n{script}"
    return subprocess.run([*prefix, "bash", "-c", whole], capture_output=True, text=True, check=False, timeout=60)


@needs_dpkg
def test_only_packages_that_are_not_installed_are_missing() -> None:
    assert bash(f"missing_packages dpkg {ABSENT} bash").stdout == f"{ABSENT}\n"


@needs_dpkg
def test_nothing_is_done_when_all_packages_are_there() -> None:
    done = bash("install_packages dpkg bash")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_dpkg
@pytest.mark.root
def test_without_root_one_sentence_names_the_packages_and_the_way_out() -> None:
    # The script goes in as text: the tree may lie where only root can read.
    text = (ROOT / "tools/packages.sh").read_text()
    command = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", "bash", "-c", f"{text}\ninstall_packages {ABSENT}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd="/")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert ABSENT in done.stderr
    assert "needs root" in done.stderr


def test_make_alone_lists_its_targets() -> None:
    shown = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True, timeout=60).stdout
    listed = set(re.findall(r"^  make (\w+)  ", shown, re.MULTILINE))
    assert {"setup", "demo", "test", "bench", "lint", "oracle", "wheel", "clean"} <= listed
