# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs as monitors and alerts: started without a copy of the daemon, watched, ended with their group, reaped."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from bpvs.model import BpvsError
from bpvs.mon.core.values import Outcome
from bpvs.mon.descriptors import restore_limit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEPT_OUTPUT = 1 << 20  # bytes; what comes after is read and thrown away
TIMED_OUT, NOT_STARTED, BY_SIGNAL = 124, 127, 128  # exit codes, as in a shell
GRACE = 2.0  # seconds from SIGTERM to SIGKILL
_CHUNK = 1 << 16  # a pipe holds so much: a program that floods gets one turn of the loop after another
# Scripts of mon 1.3.6 count on an ignored SIGPIPE: http.monitor writes its request in pieces, and reads the answer of a
# server that did not wait for the last one. Python ignores it from the start.
_DEFAULT_SIGNALS = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE}


class NotStarted(BpvsError):
    """A program could not be started; the sentence says why."""


class Process:
    """A program in a session of its own: no signal meant for the daemon reaches it, one kill ends its whole group.

    It ends when the program itself ends: what it left in the background may hold the pipe, and is not waited for.
    Whether somebody awaits `outcome` or not, it is reaped.
    """

    def __init__(self, pid: int, pidfd: int, pipe: int) -> None:
        self.pid = pid
        self._pidfd, self._pipe = pidfd, pipe
        self._began = time.monotonic()
        self._kept = bytearray()
        self._lost = 0  # bytes beyond KEPT_OUTPUT
        self._is_ending = False
        self._loop = asyncio.get_running_loop()
        self._status: asyncio.Future[int] = self._loop.create_future()
        self._loop.add_reader(pipe, self._read)
        self._loop.add_reader(pidfd, self._reap)

    @classmethod
    def start(cls, words: Sequence[str], environment: Mapping[str, str], stdin: bytes = b"") -> Process:
        """Start words[0], a path, with `environment` added to the daemon's; NotStarted.

        SIGPIPE is ignored, other signals are at their defaults, stdout and stderr are one pipe, no other descriptor is
        open. A script without `#!` is the shell's, as execvp(3) does it.
        """
        opened: list[int] = []
        try:
            stdin_file = _file_of(stdin)
            opened.append(stdin_file)
            pipe, far_end = os.pipe2(os.O_CLOEXEC)
            opened += (pipe, far_end)
            os.set_blocking(pipe, False)
            pid = _spawn(words, {**os.environ, **environment}, stdin_file, far_end)
            restore_limit(pid)
            process = cls(pid, _pidfd_of(pid), pipe)
        except (OSError, ValueError) as error:
            for descriptor in opened:
                os.close(descriptor)
            raise NotStarted(_why_not_started(words[0], error)) from error
        os.close(stdin_file)
        os.close(far_end)
        return process

    async def outcome(self, timeout: float) -> Outcome:  # noqa: ASYNC109 - the end of the group is not a cancellation
        """How it ended, by itself or because `timeout` seconds were over. Cancelled, it ends the program first."""
        watch = self._loop.call_later(timeout, self.end)
        try:
            status = await asyncio.shield(self._status)
        except asyncio.CancelledError:
            self.end()
            await asyncio.shield(self._status)
            raise
        finally:
            watch.cancel()
        duration = time.monotonic() - self._began
        if self._is_ending:
            return Outcome(TIMED_OUT, self._output(f"timeout: ended after {timeout:g} s"), duration)
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            return Outcome(BY_SIGNAL + number, self._output(f"died of {signal_name(number)}"), duration)
        return Outcome(os.WEXITSTATUS(status), self._output(), duration)

    def end(self) -> None:
        """SIGTERM to the whole group; SIGKILL to what of it is left when the program ends or after GRACE."""
        if self._status.done() or self._is_ending:
            return
        self._is_ending = True
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)  # a stopped program hears nothing
        self._loop.call_later(GRACE, self._kill)

    def _kill(self) -> None:
        if not self._status.done():
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        """To the group. Only before the program is reaped: its number is not another's yet."""
        with suppress(ProcessLookupError, PermissionError):  # all gone; or now another user's, by set-user-ID
            os.killpg(self.pid, number)

    def _read(self) -> bool:
        """One turn's worth of output; False if there was none."""
        try:
            data = os.read(self._pipe, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._pipe)
            return False
        room = KEPT_OUTPUT - len(self._kept)
        self._kept += data[:room]
        self._lost += max(0, len(data) - room)
        return True

    def _reap(self) -> None:
        """The program has ended."""
        self._loop.remove_reader(self._pidfd)
        for _ in range(KEPT_OUTPUT // _CHUNK):  # a grandchild that floods would give more for ever
            if not self._read():
                break
        if self._is_ending:
            self._signal(signal.SIGKILL)
        self._loop.remove_reader(self._pipe)
        os.close(self._pipe)
        os.close(self._pidfd)
        self._status.set_result(os.waitpid(self.pid, 0)[1])

    def _output(self, note: str = "") -> bytes:
        """What it printed; `note` as the first line, or as the last if there is a first."""
        notes = [f"(output of {KEPT_OUTPUT + self._lost} bytes cut here)"] if self._lost else []
        if not note:
            return bytes(self._kept) + _lines(notes, self._kept)
        if self._kept.partition(b"\n")[0].strip():
            return bytes(self._kept) + _lines([*notes, note], self._kept)
        return f"{note}\n".encode() + bytes(self._kept) + _lines(notes, self._kept)


async def run(words: Sequence[str], environment: Mapping[str, str], timeout: float, stdin: bytes = b"") -> Outcome:  # noqa: ASYNC109
    """Start a program and wait for its end; a failed start is an outcome too."""
    try:
        process = Process.start(words, environment, stdin)
    except NotStarted as error:
        return Outcome(NOT_STARTED, f"{error}\n".encode())
    return await process.outcome(timeout)


def signal_name(number: int) -> str:
    """SIGSEGV (signal 11); real-time signals have no names of their own."""
    try:
        return f"{signal.Signals(number).name} (signal {number})"
    except ValueError:
        return f"signal {number}"


def _spawn(words: Sequence[str], environment: Mapping[str, str], stdin: int, output: int) -> int:
    """The new process; posix_spawn(3), so nothing of the daemon runs in it and its memory is not copied."""
    actions = [(os.POSIX_SPAWN_DUP2, near, far) for near, far in ((stdin, 0), (output, 1), (output, 2))]

    def spawn(path: str, arguments: list[str]) -> int:
        return os.posix_spawn(
            path,
            arguments,
            environment,
            file_actions=actions,
            setsid=True,
            setsigmask=(),
            setsigdef=_DEFAULT_SIGNALS,
        )

    try:
        return spawn(words[0], list(words))
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    return spawn("/bin/sh", ["/bin/sh", *words])


def _file_of(content: bytes) -> int:
    """A descriptor to read `content` from. A file in memory, unlike a pipe, never waits for a reader."""
    if not content:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    descriptor = os.memfd_create("stdin")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _pidfd_of(pid: int) -> int:
    """A descriptor that becomes readable at its end; without one the process is not left alone."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


def _why_not_started(path: str, error: OSError | ValueError) -> str:
    """A sentence; some of the system's reasons mislead."""
    if isinstance(error, ValueError):
        return f"{path}: cannot be executed: {error} in its arguments or environment"
    if error.errno == errno.ENOENT and os.path.exists(path):
        return f"{path}: cannot be executed: the interpreter that its first line names is not there"
    if error.errno == errno.E2BIG:
        return f"{path}: cannot be executed: its arguments and environment are too large"
    return f"{path}: cannot be executed: {error.strerror}"


def _lines(notes: list[str], before: bytes | bytearray) -> bytes:
    """Notes as lines of their own."""
    if not notes:
        return b""
    gap = b"" if not before or before.endswith(b"\n") else b"\n"
    return gap + "\n".join([*notes, ""]).encode()
