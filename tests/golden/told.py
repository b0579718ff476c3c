# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of a recorded scenario, in their order: bash expands its loops and variables and tells each command."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

FOLDER = Path(__file__).parent / "ipvsadm"

# Each command is told as: kind, the line as recorded, number of words, words.
_TELL = r"""
tell() { local kind=$1 line; shift; printf -v line '%q ' "$@"; printf '%s\0' "$kind" "${line% }" "$#" "$@"; }
r() { tell run "$@"; }
q() { tell quiet "$@"; }
ipvsadm() { tell bare ipvsadm "$@"; }
rs() { printf '%s\0' shell "$1" 1 "$1"; }
note() { printf '%s\0' note "$*" 0; }
mount() { :; }
umount() { :; }
"""


def told(scenario: str, environment: Mapping[str, str]) -> Iterator[tuple[str, str, list[str]]]:
    """Kind (run, quiet, bare, shell, note), line as recorded and words of each command; nothing is run but helpers."""
    script = _TELL + (FOLDER / f"{scenario}.sh").read_text()
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    fields = iter(done.stdout.split("\0")[:-1])
    for kind in fields:
        line = next(fields)
        yield kind, line, [next(fields) for _ in range(int(next(fields)))]
