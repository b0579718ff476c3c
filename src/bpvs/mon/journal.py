# SPDX-License-Identifier: GPL-2.0-or-later
"""The log: to a terminal, to systemd's journal or to syslog; written by a thread of its own, so that nobody waits."""

from __future__ import annotations

import os
import sys
import syslog
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    # Writes one line of a priority (syslog's number).
    Sink = Callable[[int, str], None]

LEVELS = {"alert": 1, "crit": 2, "err": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}
_NAMES = {number: name for name, number in LEVELS.items()}
_LONGEST_LINE = 8192  # characters; journald and syslogd cut longer ones anywhere
_LONGEST_QUEUE = 10_000  # lines; whoever reads the log has stopped to read
_PATIENCE = 2.0  # seconds for the last lines


class Journal:
    """Takes lines from the loop, hands them to `sink` in a thread; counts those that the sink is too slow for."""

    def __init__(self, sink: Sink, *, is_debug: bool = False) -> None:
        self._sink = sink
        self._lowest = LEVELS["debug"] if is_debug else LEVELS["info"]
        self._lines: deque[tuple[int, str]] = deque()
        self._lost = 0
        self._is_closed = False
        self._wake = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def __call__(self, level: str, text: str) -> None:
        """Log one line; `level` is a word of LEVELS."""
        number = LEVELS[level]
        if number > self._lowest:
            return
        if len(self._lines) >= _LONGEST_QUEUE:
            self._lost += 1
            return
        if self._lost:
            self._lines.append((LEVELS["warning"], f"{self._lost} lines of this log were lost: nobody took them"))
            self._lost = 0
            self._wake.release()
        self._lines.append((number, one_line(text)))
        self._wake.release()

    def close(self) -> None:
        """Write what waits, if the sink takes it in time."""
        self._is_closed = True
        self._wake.release()
        self._thread.join(_PATIENCE)

    def _write(self) -> None:
        while True:
            self._wake.acquire()
            if self._lines:
                self._sink(*self._lines.popleft())
            elif self._is_closed:
                return


def one_line(text: str) -> str:
    r"""The text without control characters: what a server or client sent forges no second line.

    >>> one_line("bad\nmon: all is well")
    'bad\\x0amon: all is well'
    """
    shown = text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return shown if len(shown) <= _LONGEST_LINE else f"{shown[:_LONGEST_LINE]}..."


def choose_sink(facility: str, *, is_daemon: bool, environment: Mapping[str, str]) -> Sink:
    """Syslog for a daemon of the old kind, `<N>` prefixes for systemd's journal, else lines for people."""
    if is_daemon:
        syslog.openlog("mon", syslog.LOG_PID | syslog.LOG_CONS, facilities()[facility])
        return syslog.syslog
    return _to_journal if _is_journal(environment.get("JOURNAL_STREAM", "")) else _to_people


def facilities() -> dict[str, int]:
    """syslog's facilities by their names (syslog.h)."""
    names = ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"]
    numbered = {name: number << 3 for number, name in enumerate(names)}
    return numbered | {f"local{number}": (16 + number) << 3 for number in range(8)}


def _is_journal(stream: str) -> bool:
    """Whether JOURNAL_STREAM (systemd.exec(5)) means our stderr, and not that of whoever started us."""
    status = os.fstat(sys.stderr.fileno())
    return stream == f"{status.st_dev}:{status.st_ino}"


def _to_journal(number: int, text: str) -> None:
    _to_stderr(f"<{number}>{text}\n")


def _to_people(number: int, text: str) -> None:
    now = time.time()
    clock = time.strftime("%H:%M:%S", time.localtime(now))
    _to_stderr(f"{clock}.{int(now * 1000) % 1000:03} {_NAMES[number]:7} {text}\n")


def _to_stderr(line: str) -> None:
    """One write for a line; a log that cannot be written (a full disk, a closed pipe) is no reason to end."""
    try:
        sys.stderr.write(line)
        sys.stderr.flush()
    except OSError:
        return
