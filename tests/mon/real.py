# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's mon and its clients, as tools/mon_real unpacked them: how to run each, or why the test is skipped."""

from __future__ import annotations

import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "build" / "mon"
SCRIPTS = ROOT / "usr/lib/mon"  # mon.d and alert.d
_FOLDERS = {"mon": "usr/sbin", "moncmd": "usr/bin", "monshow": "usr/bin", "monfailures": "usr/bin"}


@dataclass(frozen=True)
class Program:
    """`argv` to which arguments are appended, and the whole environment to run it in."""

    argv: tuple[str, ...]
    env: dict[str, str]


def real_program(name: str) -> Program:
    """One of mon, moncmd, monshow, monfailures; skips the test where it is not there."""
    return perl_script(_unpacked() / _FOLDERS[name] / name)


def perl_script(script: Path) -> Program:
    """A Perl script in the company of mon's modules: a monitor, an alert, one of the test's own."""
    with script.open("rb") as file:
        taints = file.readline().rstrip().endswith(b"-T")  # perl wants it on the command line too
    flags = ["-T"] if taints else []
    includes = [f"-I{folder}" for folder in _module_folders()]
    return Program((_perl(), *flags, *includes, str(script)), _environment())


def perl_code(code: str) -> Program:
    """Lines of Perl that may use Mon::Client."""
    return Program((_perl(), *(f"-I{folder}" for folder in _module_folders()), "-e", code), _environment())


def _environment() -> dict[str, str]:
    """PERL5LIB is for scripts that are started by their own first line, as a daemon starts monitors."""
    return {**os.environ, "PERL5LIB": os.pathsep.join(map(str, _module_folders())), "LC_ALL": "C.UTF-8"}


def _module_folders() -> list[Path]:
    root = _unpacked()
    return [root / "usr/share/perl5", *sorted(root.glob("usr/lib/*/perl5/*"))]


def _perl() -> str:
    perl = shutil.which("perl")
    if perl is None:
        pytest.skip("perl is not installed: run 'tools/setup peers'")
    return perl


def _unpacked() -> Path:
    if not (ROOT / "packages").exists():
        pytest.skip("Debian's mon is not in build/mon: run tools/mon_real (it needs the network)")
    return ROOT


def free_port() -> int:
    """A port of 127.0.0.1 that is free for TCP and UDP, a moment long: start again if another process has it by then.

    Connections of other tests, open or over, hold thousands of ports of 127.0.0.2 and its like: bind no other address.
    """
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            stream.bind(("127.0.0.1", 0))
            port = int(stream.getsockname()[1])
            try:
                datagrams.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
