# SPDX-License-Identifier: GPL-2.0-or-later
"""The wheel as a user gets it: built from the sdist alone, installed where no compiler is."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from compile_bpf import ROOT, SHIPPED

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
BUILD_S = 300


def run(*command: str, timeout_s: int = 60) -> str:
    """Run a program that sees nothing of the test's own environment; return what it printed."""
    environment = {"PATH": SYSTEM_PATH, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=timeout_s)
    assert result.returncode == 0, f"{command} ended with {result.returncode}: {result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT), timeout_s=BUILD_S)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel and nothing else: ipvsadm needs none of the monitor's libraries."""
    environment = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", str(environment))
    pip = (sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check")
    run(*pip, "--python", str(environment / "bin/python"), "install", "--quiet", "--no-deps", str(wheel))
    return environment


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"bpvs-wheel-{uuid.uuid4().hex[:8]}"
    run("ip", "netns", "add", name)
    try:
        run("ip", "-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        run("ip", "netns", "delete", name)


def test_the_wheel_suits_every_python_and_machine(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")


def test_the_wheel_carries_programs_layout_types_and_manual(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    objects = {name.rpartition("/")[2] for name in names if name.endswith(".bpf.o")}
    assert objects == {f"{program.name}.bpf.o" for program in SHIPPED}
    assert {"bpvs/kernel/_abi.py", "bpvs/py.typed", "bpvs/ipvsadm/schema.json"} <= set(names)
    pages = {f"share/man/man{page.suffix[1:]}/{page.name}" for page in (ROOT / "man").iterdir()}
    assert pages == {name.partition("/data/")[2] for name in names if "/data/" in name}
    assert any(name.endswith("licenses/LICENSES/GPL-2.0-only.txt") for name in names)


def test_the_installed_command_tells_its_version(installed: Path) -> None:
    assert not list(installed.glob("lib/*/site-packages/ziglang"))
    assert run(str(installed / "bin/ipvsadm"), "-v").startswith("ipvsadm v1.31 ")


@pytest.mark.root
@pytest.mark.timeout(BUILD_S)
def test_the_installed_command_drives_the_kernel(installed: Path, namespace: str) -> None:
    inside = ("ip", "netns", "exec", namespace)
    ipvsadm = (*inside, str(installed / "bin/ipvsadm"))
    try:
        run(*ipvsadm, "-A", "-t", "192.0.2.1:80", "-s", "rr")
        run(*ipvsadm, "-a", "-t", "192.0.2.1:80", "-r", "192.0.2.2", "-m")
        assert run(*ipvsadm, "-S", "-n") == ("-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 192.0.2.2:80 -m -w 1\n")
        assert "  -> 192.0.2.2:80                 Masq    1      0          0" in run(*ipvsadm, "-L", "-n")
        run(*ipvsadm, "-C")
        assert run(*ipvsadm, "-S", "-n") == ""
    finally:
        run(*inside, str(installed / "bin/bpvs"), "down")


def test_the_sdist_holds_the_sources_of_the_programs(wheel: Path) -> None:
    sdist = next(wheel.parent.glob("*.tar.gz"))
    names = subprocess.run(["tar", "-tzf", str(sdist)], capture_output=True, text=True, check=True, timeout=60).stdout
    prefix = sdist.name.removesuffix(".tar.gz")
    held = set(names.splitlines())
    expected = [path for path in (ROOT / "bpf").rglob("*") if path.suffix in {".c", ".h"}]
    assert {f"{prefix}{os.sep}{path.relative_to(ROOT)}" for path in expected} <= held
    assert not [name for name in held if name.endswith((".bpf.o", "/_abi.py"))]
