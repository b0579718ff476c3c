# SPDX-License-Identifier: GPL-2.0-or-later
"""What recorder.pl wrote down: how a daemon called a monitor or an alert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Call:
    """Words from argv[0] on, the variables of mon and of the configuration, and what stood on stdin."""

    argv: tuple[str, ...]
    variables: Mapping[str, str]
    stdin: str

    @property
    def key(self) -> tuple[str, str]:
        """Group and service."""
        return self.variables["MON_GROUP"], self.variables["MON_SERVICE"]


def read_call(path: Path) -> Call:
    """One file of the recorder's."""
    head, _, stdin = path.read_bytes().decode("utf-8", "backslashreplace").partition("\0i")
    words = head.split("\0")
    argv = tuple(word[1:] for word in words if word[0] == "a")
    variables = dict(word[1:].split("=", 1) for word in words if word[0] == "v")
    return Call(argv, variables, stdin)
