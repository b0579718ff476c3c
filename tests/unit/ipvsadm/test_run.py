# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import io
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

import pytest

from bpvs.ipvsadm.run import run, run_restore
from bpvs.model import Check, DirectorError, NotBuilt, RealServer, Table, VirtualService
from bpvs.testing import MemoryDirector
from bpvs.text.names import Resolver

INITIALISE = "Can't initialize ipvs: "
TIMEOUTS = "Timeout (tcp tcpfin udp): {} {} {}\n"
ASK = "Are you sure that IP Virtual Server is built in the kernel or as module?\n"


def call(line: str, director: MemoryDirector | Callable[[], MemoryDirector], stdin: str = "") -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    factory = director if callable(director) else lambda: director
    code = run(shlex.split(line), "ipvsadm", io.StringIO(stdin), stdout, stderr, factory, Resolver())
    return code, stdout.getvalue(), stderr.getvalue()


def unprivileged() -> MemoryDirector:
    raise PermissionError


def broken() -> MemoryDirector:
    raise DirectorError("no BTF at /sys/kernel/btf/vmlinux")


def test_without_root() -> None:
    for line in ("-L", "--bogus", ""):
        assert call(line, unprivileged) == (2, "", f"{INITIALISE}Permission denied (you must be root)\n{ASK}")


def test_without_a_usable_kernel() -> None:
    assert call("-L", broken) == (2, "", f"{INITIALISE}no BTF at /sys/kernel/btf/vmlinux\n")


@pytest.mark.parametrize("line", ["-h", "--help", "-v", "--version", "-hL"])
def test_help_and_version_need_nothing(line: str) -> None:
    code, out, err = call(line, unprivileged)
    assert (code, err) == (0, "")
    assert out.startswith("ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n")


def test_a_refusal_publishes_nothing() -> None:
    director = MemoryDirector()
    assert call("-D -t 10.0.0.1:80", director) == (255, "", "No such service\n")
    assert call("-A -t 10.0.0.1:80 -s bogus", director)[0] == 255
    assert director.published == 0


def test_what_is_not_built_is_said() -> None:
    class Impersistent(Check):
        def service(self, service: VirtualService, servers: Iterable[RealServer]) -> None:
            if service.persistence is not None:
                raise NotBuilt("persistence (-p) is not built yet")

    director = MemoryDirector(Impersistent())
    assert call("-A -t 10.0.0.1:80 -p", director) == (255, "", "persistence (-p) is not built yet\n")
    assert director.published == 0


SAVED = """\
-A -t 10.0.0.1:80 -s rr -j enable
-P -t 10.0.0.1:80 -z 10.0.1.9
-P -t 10.0.0.1:80 -z 10.0.1.1
-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -b -w 1
-a -t 10.0.0.1:80 -r 10.0.0.3:80 -m -w 2
-A -t [2001:db8::1]:80 -s rr
-P -t [2001:db8::1]:80 -z 10.0.1.9
-a -t [2001:db8::1]:80 -r 10.0.0.2:8080 -b -w 1
"""


def test_fullnat_and_synproxy_are_saved_and_restored() -> None:
    director = MemoryDirector()
    assert call("-R", director, SAVED) == (0, "", "")
    assert call("-S -n", director) == (0, SAVED, "")
    assert call("-L -n -t 10.0.0.1:80", director)[1].splitlines()[2:] == [
        "TCP  10.0.0.1:80 rr synproxy",
        "  -> 10.0.0.2:8080                FullNat 1      0          0         ",
        "  -> 10.0.0.3:80                  Masq    2      0          0         ",
    ]


PAST = "SYNPROXY needs servers with masquerading (-m) or FullNAT (-b): their replies must pass the director\n"
BAD_LOCAL = "Local address must be unicast, and neither loopback nor link-local\n"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("-a -t 10.0.0.1:80 -r 10.0.0.4 -g", (255, "", PAST)),
        ("-a -t 10.0.0.1:80 -r 10.0.0.4 -i", (255, "", PAST)),
        ("-e -t 10.0.0.1:80 -r 10.0.0.3", (255, "", PAST)),
        ("-a -t 10.0.0.1:80 -r 10.0.0.3", (255, "", "Destination already exists\n")),
        ("-P -t 10.0.0.1:80 -z 10.0.1.1", (255, "", "Local address already exists\n")),
        ("-P -t 10.0.0.1:80 -z 127.0.0.1", (255, "", BAD_LOCAL)),
        ("-Q -t 10.0.0.1:80 -z 10.0.1.2", (255, "", "No such local address\n")),
        ("-P -t 10.0.0.9:80 -z 10.0.1.1", (255, "", "Service not defined\n")),
        ("-G -t 10.0.0.9:80", (1, "", "No such service\n")),
    ],
)
def test_refusals_of_fullnat_and_synproxy(line: str, answer: tuple[int, str, str]) -> None:
    director = MemoryDirector()
    call("-R", director, SAVED)
    assert call(line, director) == answer
    assert call("-S -n", director)[1] == SAVED


def test_a_line_of_restore_that_synproxy_refuses_is_reported_and_the_next_follows() -> None:
    director = MemoryDirector()
    lines = "-A -t 10.0.0.1:80 -j enable\n-a -t 10.0.0.1:80 -r 10.0.0.2 -g\n-P -t 10.0.0.1:80 -z 10.0.1.1\n-G -n\n"
    code, out, err = call("-R", director, lines)
    assert (code, err) == (0, PAST)
    assert [line.split()[0] for line in out.splitlines()] == ["VIP:VPORT", "10.0.0.1:80", "10.0.1.1"]


def test_an_edit_without_synproxy_switches_it_off() -> None:
    director = MemoryDirector()
    call("-R", director, SAVED)
    for line, code in (("-E -t 10.0.0.1:80", 0), ("-a -t 10.0.0.1:80 -r 10.0.0.4 -g", 0)):
        assert call(line, director)[0] == code
    assert call("-E -t 10.0.0.1:80 -j enable", director) == (255, "", PAST)
    assert "synproxy" not in call("-L -n", director)[1]


def test_no_daemon_starts_so_none_is_running() -> None:
    refusal = "--start-daemon: this version of BPVS has no connection synchronisation\n"
    assert call("--start-daemon master", MemoryDirector()) == (255, "", refusal)
    assert call("--stop-daemon backup", MemoryDirector()) == (255, "", "No daemon is running\n")


def test_settings_are_saved_before_the_table_and_restored() -> None:
    director = MemoryDirector()
    lines = "--sysctl vs.drop_packet=3\n--sysctl vs.sloppy_tcp=1\n" + SAVED
    assert call("-R", director, lines) == (0, "", "")
    assert call("-S -n", director) == (0, lines, "")
    assert call("--sysctl=vs.drop_packet=0", director) == (0, "", "")
    assert call("-R", director, "--sysctl vs.sloppy_tcp=0\n-S -n\n") == (0, SAVED, "")


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("--sysctl vs.drop_packet=4", (255, "", "vs.drop_packet is 0 to 3, not 4\n")),
        ("--sysctl vs.drop", (255, "", "`vs.drop' is not NAME=VALUE\n")),
        ("--sysctl", (255, "", "Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n")),
        ("--sysctl vs.drop_packet=1 -n", (2, "", "Illegal 'numeric' option with the 'sysctl' command\n")),
    ],
)
def test_refusals_of_settings(line: str, answer: tuple[int, str, str]) -> None:
    director = MemoryDirector()
    assert call(line, director) == answer
    assert director.published == 0


def test_a_setting_that_restore_refuses_is_reported_and_the_next_line_follows() -> None:
    director = MemoryDirector()
    lines = "--sysctl vs.drop_packet=9\n--sysctl vs.sloppy_tcp=1\n"
    assert call("-R", director, lines) == (0, "", "vs.drop_packet is 0 to 3, not 9\n")
    assert call("-S -n", director)[1] == "--sysctl vs.sloppy_tcp=1\n"


def test_timeouts_are_set_and_zero_keeps() -> None:
    director = MemoryDirector()
    assert call("--set 1 2 3", director) == (0, "", "")
    assert call("-R", director, "--set 0 0 100\n-L --timeout\n--set 0 9 0\n") == (0, TIMEOUTS.format(1, 2, 100), "")
    assert call("-L --timeout", director) == (0, TIMEOUTS.format(1, 9, 100), "")
    assert call("--set 5 5 2678401", director) == (2, "", "invalid timeout value `2678401' specified\n")
    assert call("-L --timeout", director)[1] == TIMEOUTS.format(1, 9, 100)


class Failing(MemoryDirector):
    """Cannot publish."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def change(self) -> AbstractContextManager[Table]:
        raise self._error


def test_a_director_that_fails() -> None:
    assert call("-C", Failing(DirectorError("cannot load nat.bpf.o"))) == (255, "", "cannot load nat.bpf.o\n")


def test_interrupts() -> None:
    assert call("-C", Failing(KeyboardInterrupt())) == (130, "", "")


class Gone(io.StringIO):
    """A pipe that nobody reads."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("line", ["-L", "-S", "-R"])
def test_a_broken_pipe_ends_the_run_quietly(line: str) -> None:
    director, stderr = MemoryDirector(), io.StringIO()
    assert call("-A -t 10.0.0.1:80 -s rr", director)[0] == 0
    stdin = io.StringIO("-A -t 10.0.0.2:80 -s rr\n-L\n-A -t 10.0.0.3:80 -s rr\n")
    assert run([line], "ipvsadm", stdin, Gone(), stderr, lambda: director, Resolver()) == 141
    assert stderr.getvalue() == ""
    assert len(director.table()) == (2 if line == "-R" else 1)


def test_restore_command_replaces_the_table() -> None:
    director = MemoryDirector()
    call("-A -t 10.0.0.1:80 -s rr", director)
    lines = io.StringIO("# comment\n-A -t 10.0.0.2:80 -s rr\n")
    stdout, stderr = io.StringIO(), io.StringIO()
    assert run_restore(lines, stdout, stderr, lambda: director, Resolver()) == 0
    assert call("-S -n", director)[1] == "-A -t 10.0.0.2:80 -s rr\n"
    assert (director.published, stdout.getvalue() + stderr.getvalue()) == (2, "")


def test_restore_command_of_nothing_clears() -> None:
    director = MemoryDirector()
    call("-A -t 10.0.0.1:80 -s rr", director)
    assert run_restore(io.StringIO(), io.StringIO(), io.StringIO(), lambda: director, Resolver()) == 0
    assert len(director.table()) == 0


def test_restore_command_without_root() -> None:
    stderr = io.StringIO()
    assert run_restore(io.StringIO(), io.StringIO(), stderr, unprivileged, Resolver()) == 2
    assert stderr.getvalue().startswith(INITIALISE)


def test_the_lock_is_taken_when_the_input_is_complete() -> None:
    events: list[str] = []

    class Watched(MemoryDirector):
        def change(self) -> AbstractContextManager[Table]:
            events.append("lock")
            return super().change()

    class Slow(io.StringIO):
        def __iter__(self) -> Iterator[str]:  # type: ignore[override] # typeshed has the lines of StringIO as bytes
            for line in ("-C\n", "-C\n"):
                events.append("read")
                yield line

    run(["-R"], "ipvsadm", Slow(), io.StringIO(), io.StringIO(), Watched, Resolver())
    assert events == ["read", "read", "lock"]
