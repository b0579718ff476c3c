# SPDX-License-Identifier: GPL-2.0-or-later
"""How a check of one host goes: where its time went, and the sentence with which it fails."""

from __future__ import annotations

import errno
import os
import socket
from time import monotonic

from bpvs.model import BpvsError
from bpvs.mon.monitors.report import Phase

_LONGEST = 200  # characters of a server's own words that get into a line

_SENTENCES = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.ETIMEDOUT: "no answer",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "no route to its network",
    errno.EADDRNOTAVAIL: "the source address is none of this machine",
    errno.EMFILE: "this process has too many files open",
    errno.ENFILE: "this machine has too many files open",
}


class Sick(BpvsError):
    """The host is not well: a short sentence, and more lines for people if there are any."""

    def __init__(self, text: str, detail: str = "") -> None:
        super().__init__(text)
        self.detail = detail


class Stopwatch:
    """Takes the times of a check's phases, one after the other."""

    __slots__ = ("_began", "_phases", "doing")

    def __init__(self) -> None:
        self._phases: list[Phase] = []
        self.doing = ""
        self._began = 0.0

    def begin(self, name: str) -> None:
        """Another phase begins, and ends the one before."""
        now = monotonic()
        if self.doing:
            self._phases.append(Phase(self.doing, now - self._began))
        self.doing, self._began = name, now

    def note(self, text: str) -> None:
        """Ends the phase with a remark."""
        self._phases.append(Phase(self.doing, monotonic() - self._began, text))
        self.doing = ""

    def phases(self, note: str = "") -> tuple[Phase, ...]:
        """All of them; ends the one that lasts, with a remark."""
        if self.doing:
            self.note(note)
        return tuple(self._phases)


def sick(error: OSError) -> Sick:
    """What a system call's error means for the host."""
    if isinstance(error, socket.gaierror):
        unknown = (socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY)
        return Sick("name unknown" if error.errno in unknown else "its name's servers do not answer")
    code = error.errno or 0
    return Sick(_SENTENCES.get(code) or os.strerror(code).lower())


def printable(text: bytes, longest: int = _LONGEST) -> str:
    r"""A server's words for a line of text: nothing in them moves the cursor or ends the line.

    >>> printable(b"220 mail\x1b[2J ready\r\n")
    '220 mail?[2J ready'
    """
    line = text[: longest + 1].decode("utf-8", "replace").strip()
    if not line.isprintable():
        line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return f"{line[:longest]}..." if len(text.strip()) > longest else line
