# SPDX-License-Identifier: GPL-2.0-or-later
"""The text of a configuration file, by way of m4 if its name or an option asks for that."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from bpvs.text.mon.errors import ConfigError
from bpvs.text.mon.lines import Place

PATIENCE = 30.0  # seconds for a preprocessor; a macro may call itself for ever
MOST_TEXT = 64 << 20  # bytes that it may print


class Source(NamedTuple):
    """A configuration's text, and what the preprocessor said to stderr without failing."""

    text: bytes
    said: str = ""


def read_source(path: str, preprocessor: str = "", patience: float = PATIENCE) -> Source:
    """The file as it stands, or as the preprocessor prints it: the one named, or `m4` if the file's name ends in .m4.

    m4 tells which line of which file its output comes from, so errors name those, and it finds what the file includes
    in the file's own directory, too. ConfigError if the file cannot be read or the preprocessor fails. It waits: a
    daemon calls it in a thread.
    """
    program = preprocessor or ("m4" if path.endswith(".m4") else "")
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        legacy = f"could not open cf file: {path}: {error.strerror}"
        raise ConfigError(Place(path), f"cannot be read: {error.strerror}", legacy=legacy) from None
    return _expand(path, program, patience) if program else Source(text)


def _expand(path: str, program: str, patience: float) -> Source:
    options = ("-s", "-I", os.path.dirname(path) or ".") if os.path.basename(program) == "m4" else ()
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as complained:
        status = _run([program, *options, path], printed.fileno(), complained.fileno(), patience)
        for file in (printed, complained):
            file.seek(0)
        said = complained.read().decode(errors="replace").strip()
        if status == -signal.SIGXFSZ:
            raise ConfigError(Place(path), f"{program} printed more than {MOST_TEXT >> 20} MiB and was ended")
        if status:
            ended = f"was killed by signal {-status}" if status < 0 else f"failed with exit code {status}"
            raise ConfigError(Place(path), f"{program} {ended}", said)
        return Source(printed.read(), said)


def _run(command: list[str], stdout: int, stderr: int, patience: float) -> int:
    """The exit code, negative for the signal that killed it. Files of its own can fill no pipe and no memory."""
    program, path = command[0], command[-1]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True
        )
    except OSError as error:
        wrong = f"{program} cannot be run: {error.strerror}"
        raise ConfigError(Place(path), wrong, "install it, or name its path") from None
    with process:
        try:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (MOST_TEXT, MOST_TEXT))
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            wrong = f"{program} took longer than {patience:g}s and was ended"
            raise ConfigError(Place(path), wrong, "does a macro call itself?") from None
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
