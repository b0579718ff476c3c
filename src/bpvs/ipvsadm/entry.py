# SPDX-License-Identifier: GPL-2.0-or-later
"""The console commands: real streams, the real director and the system's names around `run`."""

from __future__ import annotations

import gc
import os
import sys

from bpvs.ipvsadm.resolver import SystemResolver
from bpvs.ipvsadm.run import INTERRUPTED, run, run_restore

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import TextIO

    from bpvs.ipvsadm.ports import DirectorPort


def main(argv: list[str] | None = None) -> int:
    """`ipvsadm`; `argv` without the program's name."""
    return _run_command(sys.argv[1:] if argv is None else argv, program_name(sys.argv[0], os.environ.get("PATH", "")))


def save_main(argv: list[str] | None = None) -> int:
    """`ipvsadm-save [-n]`: what `ipvsadm -S [-n]` prints; any other option gets two lines of help and exit code 1."""
    words = sys.argv[1:] if argv is None else argv
    for word in words:
        if word.startswith("-") and word != "-n":
            sys.stderr.write(
                f"{os.path.basename(sys.argv[0])}: Script to save the IPVS table to stdout.\n"
                "   With the -n option, prints out the table in numeric format.\n"
            )
            return 1
    return _run_command(["-S", "-n"] if "-n" in words else ["-S"], "ipvsadm")


def restore_main(argv: list[str] | None = None) -> int:
    """`ipvsadm-restore`: replace the table by the lines of stdin; arguments count for nothing, as in the original."""
    del argv
    gc.disable()
    stdin, stdout, stderr = _streams()
    try:
        return run_restore(stdin, stdout, stderr, _director, SystemResolver())
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        _close(stdout)


def program_name(argv0: str, path: str) -> str:
    """The name for messages: `ipvsadm` if that is what PATH finds, else the path as it is.

    The kernel gives a script its full path, so what the user typed is not known for sure.
    """
    name = os.path.basename(argv0)
    found = (os.path.join(folder, name) for folder in path.split(":") if folder)
    first = next((candidate for candidate in found if os.access(candidate, os.X_OK)), None)
    return name if first == argv0 else argv0


def _run_command(words: list[str], program: str) -> int:
    gc.disable()  # a command ends before garbage matters, and makes none in circles
    stdin, stdout, stderr = _streams()
    try:
        return run(words, program, stdin, stdout, stderr, _director, SystemResolver())
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        _close(stdout)


def _director() -> DirectorPort:
    from bpvs.director import Director

    return Director()


def _streams() -> tuple[TextIO, TextIO, TextIO]:
    """The three standard streams; one that the caller has closed is replaced by /dev/null."""
    # Lines end at newlines only, and bytes that are no text must come through to the error message.
    closed = sys.stdin is None
    source = os.devnull if closed else 0
    stdin = open(source, newline="\n", errors="surrogateescape", closefd=closed)  # noqa: SIM115 - used to the end
    if sys.stdout is None or sys.stderr is None:
        null = open(os.devnull, "w")  # noqa: SIM115 - used to the end
        return stdin, sys.stdout or null, sys.stderr or null
    return stdin, sys.stdout, sys.stderr


def _close(stdout: TextIO) -> None:
    """Flush; what cannot be written goes to /dev/null, or the interpreter would complain when it exits."""
    try:
        stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
