# SPDX-License-Identifier: GPL-2.0-or-later
"""Real programs: what reaches them, how their end is told, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpvs.lab.wait import until
from bpvs.mon.processes import KEPT_OUTPUT, NotStarted, Process, run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from bpvs.mon.core.values import Outcome

    Script = Callable[..., str]

LONG = 60.0  # seconds: never reached


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Writes an executable and gives its path."""

    def write(text: str, name: str = "a.monitor") -> str:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o755)
        return str(path)

    return write


def outcome(*words: str, timeout: float = LONG, stdin: bytes = b"", environment: Mapping[str, str] = {}) -> Outcome:
    return asyncio.run(run(words, environment, timeout, stdin))


def children() -> list[str]:
    """The processes whose parent is this one, zombies too."""
    words = ["ps", "-o", "pid=,stat=,args=", "--ppid", str(os.getpid())]
    found = subprocess.run(words, check=False, capture_output=True, text=True)
    return [line for line in found.stdout.splitlines() if " ps -o " not in line]


def is_gone(pid: int) -> bool:
    """A zombie is as good as gone: whoever adopted it may be slow to look."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_arguments_environment_and_both_outputs_reach_the_outcome(script: Script) -> None:
    path = script('#!/bin/sh\necho "$0|$1|$2|$MON_GROUP|$HOME"\necho to stderr >&2\nexit 3\n')
    result = outcome(path, "a b", "", environment={"MON_GROUP": "web"})
    assert result.status == 3
    assert result.output == f"{path}|a b||web|{os.environ['HOME']}\nto stderr\n".encode()
    assert 0 < result.duration < LONG


def test_stdin_is_empty_or_what_is_given(script: Script) -> None:
    path = script("#!/bin/sh\nexec wc -c\n")
    assert outcome(path).output == b"0\n"
    assert outcome(path, stdin=b"x" * 300_000).output == b"300000\n"


def test_a_program_runs_with_default_signals_but_without_sigpipe_alone_in_its_session(script: Script) -> None:
    path = script("#!/bin/sh\nexec cat /proc/self/status /proc/self/stat\n")
    lines = outcome(path).output.decode().splitlines()
    status = dict(line.split(":\t") for line in lines if ":\t" in line)
    libc_own = 0b11 << 31  # signals 32 and 33, which the C library keeps for itself
    assert int(status["SigIgn"], 16) & ~libc_own == 1 << signal.SIGPIPE - 1
    assert int(status["SigBlk"], 16) == 0
    pid, _, _, _, group, session = lines[-1].split()[:6]
    assert pid == group == session


def test_three_descriptors_are_open_and_none_of_the_daemons_own(script: Script) -> None:
    inherited = {fd for fd in map(int, os.listdir("/proc/self/fd")) if fd > 2 and _is_passed_on(fd)}
    with open(script("")):
        listed = {int(fd) for fd in outcome("/bin/ls", "/proc/self/fd").output.split()}
    assert len(listed - inherited - {0, 1, 2}) == 1  # its look at the directory


def _is_passed_on(descriptor: int) -> bool:
    """By whoever started the tests, to every program."""
    try:
        return os.get_inheritable(descriptor)
    except OSError:
        return False  # that of listdir itself


def test_a_script_without_interpreter_line_is_the_shells(script: Script) -> None:
    result = outcome(script('echo "old $1"\n'), "script")
    assert (result.status, result.output) == (0, b"old script\n")


@pytest.mark.parametrize(
    ("content", "mode", "sentence"),
    [
        ("#!/no/such/interpreter\n", 0o755, "the interpreter that its first line names is not there"),
        (None, 0o755, "No such file or directory"),
        ("#!/bin/sh\n", 0o644, "Permission denied"),
    ],
)
def test_a_program_that_cannot_be_executed(tmp_path: Path, content: str | None, mode: int, sentence: str) -> None:
    path = tmp_path / "x.monitor"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    before = len(os.listdir("/proc/self/fd"))
    result = outcome(str(path))
    assert result.status == 127
    assert result.output == f"{path}: cannot be executed: {sentence}\n".encode()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [({"BIG": "x" * 200_000}, "too large"), ({"MON_X": "a\0b"}, "null byte")],
)
def test_an_environment_that_the_kernel_refuses(script: Script, environment: dict[str, str], sentence: str) -> None:
    result = outcome(script("#!/bin/sh\n"), environment=environment)
    assert result.status == 127
    assert sentence in result.output.decode()
    assert children() == []


def test_death_by_a_signal_is_a_failure_that_names_it(script: Script) -> None:
    result = outcome(script("#!/bin/sh\nkill -SEGV $$\n"))
    assert (result.status, result.output) == (128 + signal.SIGSEGV, b"died of SIGSEGV (signal 11)\n")


def test_a_summary_that_was_printed_stays_the_first_line(script: Script) -> None:
    result = outcome(script("#!/bin/sh\nprintf 10.0.0.1\nkill -KILL $$\n"))
    assert (result.status, result.output) == (137, b"10.0.0.1\ndied of SIGKILL (signal 9)\n")


def test_a_hung_program_is_ended_with_its_children(script: Script, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    path = script(f"#!/bin/sh\nsleep 300 &\necho $! >{pid_file}\nwait\n")
    result = outcome(path, timeout=1)
    assert (result.status, result.output) == (124, b"timeout: ended after 1 s\n")
    until(lambda: is_gone(int(pid_file.read_text())), "the child's end")
    assert children() == []


def test_a_program_that_ignores_sigterm_is_killed(script: Script) -> None:
    began = time.monotonic()
    result = outcome(script("#!/bin/sh\ntrap '' TERM\necho h1\nwhile :; do sleep 0.1; done\n"), timeout=0.5)
    assert (result.status, result.output) == (124, b"h1\ntimeout: ended after 0.5 s\n")
    assert time.monotonic() - began > 2


def test_output_beyond_the_limit_is_read_and_dropped(script: Script) -> None:
    size = 3 * KEPT_OUTPUT
    result = outcome(script(f"#!/bin/sh\nhead -c {size} /dev/zero | tr '\\0' x\n"))
    assert result.status == 0
    assert result.output == b"x" * KEPT_OUTPUT + b"\n(output of %d bytes cut here)\n" % size


def test_a_grandchild_that_holds_the_pipe_delays_nothing(script: Script, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    result = outcome(script(f"#!/bin/sh\nsleep 300 &\necho $! >{pid_file}\necho h1\nexit 1\n"))
    try:
        assert (result.status, result.output) == (1, b"h1\n")
        assert result.duration < 30
        assert not is_gone(int(pid_file.read_text()))  # it may be there on purpose
    finally:
        os.kill(int(pid_file.read_text()), signal.SIGKILL)


def test_a_grandchild_that_floods_delays_nothing(script: Script) -> None:
    result = outcome(script("#!/bin/sh\nyes &\necho $$\nexit 1\n"))  # the closed pipe ends it
    assert result.status == 1
    assert result.duration < 30


def test_cancelling_ends_the_program_and_reaps_it(script: Script) -> None:
    path = script("#!/bin/sh\nexec sleep 300\n")

    async def cancel() -> int:
        process = Process.start([path], {})
        task = asyncio.create_task(process.outcome(LONG))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return process.pid

    assert is_gone(asyncio.run(cancel()))
    assert children() == []


def test_no_descriptor_left_is_an_error_of_that_run_alone(script: Script) -> None:
    path = script("#!/bin/sh\n")

    async def exhaust() -> None:
        held = []
        try:
            with suppress(OSError):
                while True:
                    held.append(os.open("/dev/null", os.O_RDONLY))
            for spare in range(3):
                with pytest.raises(NotStarted, match="Too many open files"):
                    Process.start([path], {})
                os.close(held.pop())
                assert spare < len(held)
        finally:
            for descriptor in held:
                os.close(descriptor)
        assert (await run([path], {}, LONG)).status == 0

    limited(64, exhaust())
    assert children() == []


def limited(descriptors: int, work: Coroutine[None, None, None]) -> None:
    """Run it with so few descriptors."""
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + descriptors, old[1]))
    try:
        asyncio.run(work)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, old)


def test_hundreds_of_programs_leave_nothing(script: Script) -> None:
    path = script("#!/bin/sh\necho $1\nexit 1\n")
    before = len(os.listdir("/proc/self/fd"))

    async def many() -> list[Outcome]:
        return await asyncio.gather(*(run([path, str(number)], {}, LONG) for number in range(200)))

    results = asyncio.run(many())
    assert [result.output for result in results] == [b"%d\n" % number for number in range(200)]
    assert children() == []
    assert len(os.listdir("/proc/self/fd")) == before
