# SPDX-License-Identifier: GPL-2.0-or-later
"""The two sides that play the same scenario: the kernel's IPVS with Debian's ipvsadm, and BPVS.

A command of BPVS runs in a child of the player that has the modules loaded already: starting an interpreter takes 2 s
in the machine. Everything else is as in the console script.
"""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from bpvs.net import namespace, sysctl


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command wrote and its exit code."""

    out: str
    err: str
    code: int


def in_child(place: str, work: Callable[[], int], stdin: str = "") -> Answer:
    """What work wrote that ran in a child process in the namespace `place`."""

    def start(files: Sequence[int]) -> int:
        child = os.fork()
        if child == 0:
            _be_child(place, work, files)
        return child

    return _answer(start, stdin)


def run_program(
    place: str, argv: Sequence[str], stdin: str = "", environment: Mapping[str, str] = os.environ
) -> Answer:
    """What a program wrote that ran in the namespace `place`; no copy of this process is made on the way."""

    def start(files: Sequence[int]) -> int:
        actions = [(os.POSIX_SPAWN_DUP2, file, number) for number, file in enumerate(files)]
        with namespace.inside(place):
            return os.posix_spawnp(argv[0], list(argv), environment, file_actions=actions)

    return _answer(start, stdin)


def _answer(start: Callable[[Sequence[int]], int], stdin: str) -> Answer:
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode("utf-8", "surrogateescape"))
        given.seek(0)
        child = start((given.fileno(), out.fileno(), err.fileno()))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "surrogateescape"))
    # A shell tells death by a signal so.
    return Answer(texts[0], texts[1], code if code >= 0 else 128 - code)


def _be_child(place: str, work: Callable[[], int], files: Sequence[int]) -> None:
    code = 99
    try:
        for number, file in enumerate(files):
            os.dup2(file, number)
        # A test's own streams are not those of a command.
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        namespace.inside(place).__enter__()
        code = work()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001 - the child ends here, and its words are its result
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Side(ABC):
    """Who answers commands in the director's namespace."""

    name: str
    commands = ""  # the folder of its console scripts, if they are not on the PATH

    def alone(self) -> AbstractContextManager[None]:
        """While no other player changes this side's tables or lists them."""
        return nullcontext()

    @abstractmethod
    def ipvsadm(self, place: str, words: Sequence[str], stdin: str = "", program: str = "ipvsadm") -> Answer:
        """Runs it; `program` is its name as typed."""

    @abstractmethod
    def sysctl(self, place: str, name: str, value: str) -> Answer:
        """Sets one of IPVS's settings; `name` is what follows `net.ipv4.vs.`."""

    @abstractmethod
    def get_sysctl(self, place: str, name: str) -> Answer: ...

    @abstractmethod
    def proc(self, place: str, name: str) -> Answer:
        """The text of `/proc/net/<name>`."""


class Real(Side):
    """The kernel's, whose lists go by the number of the row in one table of all namespaces.

    If that changes under them, they tell rows twice or leave them out.
    """

    name = "ipvs"

    def __init__(self) -> None:
        self._lock = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the players live, who inherit it

    @contextmanager
    def alone(self) -> Iterator[None]:
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)

    def ipvsadm(self, place: str, words: Sequence[str], stdin: str = "", program: str = "ipvsadm") -> Answer:
        with self.alone():
            return run_program(place, [program, *words], stdin)

    def sysctl(self, place: str, name: str, value: str) -> Answer:
        return _asked(place, lambda: sysctl.write(f"net.ipv4.vs.{name}", value))

    def get_sysctl(self, place: str, name: str) -> Answer:
        return _asked(place, lambda: sysctl.read(f"net.ipv4.vs.{name}"))

    def proc(self, place: str, name: str) -> Answer:
        with self.alone():
            return _asked(place, lambda: Path(f"/proc/thread-self/net/{name}").read_text())


def _asked(place: str, question: Callable[[], str | None]) -> Answer:
    """What the kernel said to this thread, which was in the namespace `place` for it."""
    with namespace.inside(place):
        try:
            return Answer(question() or "", "", 0)
        except OSError as error:
            return Answer("", f"{error}\n", 1)


class Bpvs(Side):
    """Ours."""

    name = "bpvs"
    commands = str(Path(sys.executable).parent)

    def __init__(self) -> None:
        # What a command would import; children inherit it.
        import bpvs.cli
        import bpvs.director
        import bpvs.ipvsadm.entry

        del bpvs

    def ipvsadm(self, place: str, words: Sequence[str], stdin: str = "", program: str = "ipvsadm") -> Answer:
        def work() -> int:
            from bpvs.ipvsadm.entry import main

            sys.argv[0] = program
            return main(list(words))

        return in_child(place, work, stdin)

    def bpvs(self, place: str, *words: str) -> Answer:
        """A verb of `bpvs`."""

        def work() -> int:
            from bpvs.cli import main

            return main(list(words))

        return in_child(place, work)

    def sysctl(self, place: str, name: str, value: str) -> Answer:
        return self.bpvs(place, "sysctl", f"vs.{name}={value}")

    def get_sysctl(self, place: str, name: str) -> Answer:
        answer = self.bpvs(place, "sysctl", f"vs.{name}")
        return Answer(answer.out.rpartition("=")[2].lstrip(), answer.err, answer.code)

    def proc(self, place: str, name: str) -> Answer:
        return self.bpvs(place, "proc", name)


SIDES: dict[str, type[Side]] = {"ipvs": Real, "bpvs": Bpvs}
