# SPDX-License-Identifier: GPL-2.0-or-later
"""Running programs and keeping what they said."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bpvs.lab.wait import PATIENCE


class LabError(Exception):
    """A network could not be built or a program in it failed; the text has the command and its own words."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a finished program gave; `code` is negative for a signal, as in subprocess."""

    command: str
    code: int
    out: str
    err: str

    def checked(self) -> Result:
        """Itself; LabError if the program failed."""
        if self.code != 0:
            words = (self.err or self.out).strip() or "no message"
            raise LabError(f"`{self.command}` gave exit code {self.code}: {words}")
        return self


def run(argv: Sequence[str], stdin: str = "", seconds: float = 30.0) -> Result:
    """Runs a program to its end; LabError if it takes longer than `seconds` or does not exist."""
    command = shlex.join(argv)
    seconds *= PATIENCE
    try:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, errors="replace", timeout=seconds, check=False
        )
    except FileNotFoundError as error:
        raise LabError(f"`{argv[0]}` is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"`{command}` did not end within {seconds:g} s") from error
    return Result(command, done.returncode, done.stdout, done.stderr)


def own_tool(name: str) -> list[str]:
    """The start of a command line for `ipvsadm`, `bpvs` or `mon` of this very installation, whatever PATH says."""
    script = Path(sys.executable).with_name(name)
    if script.exists():
        return [str(script)]
    return [sys.executable, "-m", {"ipvsadm": "bpvs.ipvsadm", "bpvs": "bpvs.cli", "mon": "bpvs.mon"}[name]]
