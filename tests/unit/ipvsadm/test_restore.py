# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import io

import pytest

from bpvs.ipvsadm.restore import Restore
from bpvs.ipvsadm.session import Session
from bpvs.model import Timeouts
from bpvs.testing import MemoryDirector
from bpvs.text.names import Resolver

ADD, EDIT = "-A -t 10.0.0.1:80 -s rr", "-E -t 10.0.0.1:80 -s wrr"
HINT = "Try `ipvsadm -h' or 'ipvsadm --help' for more information."


class Run:
    """One run of -R on a fresh director."""

    def __init__(self, *lines: str, options: str = "", director: MemoryDirector | None = None) -> None:
        self.director = director or MemoryDirector()
        stdout, stderr = io.StringIO(), io.StringIO()
        session = Session("ipvsadm", stdout, stderr, Resolver())
        self.code = Restore(session, self.director, frozenset(options.split())).run(lines)
        self.out, self.err = stdout.getvalue(), stderr.getvalue()

    @property
    def services(self) -> list[str]:
        return [str(s.key.address) for s in self.director.table().services()]


def test_restore_is_one_change() -> None:
    done = Run("-A -t 10.0.0.1:80 -s rr", "-a -t 10.0.0.1:80 -r 10.0.0.2 -m", "-A -t 10.0.0.3:80 -s rr")
    assert (done.code, done.err, done.director.published) == (0, "", 1)
    assert done.services == ["10.0.0.1", "10.0.0.3"]


def test_restore_of_nothing_touches_nothing() -> None:
    done = Run("\n", "  ipvsadm \t\n")
    assert (done.code, done.director.published) == (0, 0)


def test_refusals_are_told_and_the_last_line_decides() -> None:
    lines = ("-A -t 10.0.0.1:80 -s rr", "-A -t 10.0.0.1:80 -s rr", "--bogus-free", "-A -t 10.0.0.2:80 -s rr")
    refused = Run(lines[0], lines[1])
    assert (refused.code, refused.err) == (255, "Service already exists\n")
    went_on = Run(lines[0], lines[1], "-D -t 10.0.0.1:80 --bogus", lines[3])
    assert (went_on.code, went_on.services) == (0, ["10.0.0.1", "10.0.0.2"])
    assert went_on.err == "Service already exists\n--bogus: unknown option\n"


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("-A -t 10.0.0.2", 2, "Zero port specified for non-persistent service\n"),
        ("# a comment", 255, "Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n"),
        ("-R", 255, "Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n"),
        ("-L -t 10.9.9.9:80", 1, "No such service\n"),
        ("-v", 0, ""),
    ],
)
def test_other_mistakes_end_the_run_and_keep_what_came_before(line: str, code: int, message: str) -> None:
    done = Run("-A -t 10.0.0.1:80 -s rr", line, "-A -t 10.0.0.3:80 -s rr")
    assert (done.code, done.err, done.services) == (code, message, ["10.0.0.1"])


def test_not_built_is_a_refusal() -> None:
    done = Run("--start-daemon master", "-A -t 10.0.0.1:80 -s rr")
    assert (done.code, done.services) == (0, ["10.0.0.1"])
    assert done.err.startswith("--start-daemon: this version of BPVS has no ")


def test_listings_inside_a_run_show_the_pending_table() -> None:
    done = Run("-A -t 10.0.0.1:80 -s rr", "-S -n", "-L -n -t 10.0.0.1:80", "-D -t 10.0.0.1:80", "-S -n", "-Z")
    assert done.out.count("10.0.0.1:80 ") == 2
    assert (done.code, done.services) == (0, [])


def test_an_exception_publishes_nothing() -> None:
    class Interrupting(Resolver):
        def address_of(self, host: str) -> bytes | None:
            raise KeyboardInterrupt

    director = MemoryDirector()
    session = Session("ipvsadm", io.StringIO(), io.StringIO(), Interrupting())
    with pytest.raises(KeyboardInterrupt):
        Restore(session, director).run(["-A -t 10.0.0.1:80 -s rr", "-A -t name:80 -s rr"])
    assert (director.published, len(director.table())) == (0, 0)


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("-A -t 10.0.0.2", 2, "Zero port specified for non-persistent service"),
        ("-A -t 10.0.0.2:80 --bogus", 255, "--bogus: unknown option"),
        ("# a comment", 255, HINT),
        ("-R", 255, HINT),
        ("-A -t 10.0.0.1:80", 255, "Service already exists"),
        ("-A -t 10.0.0.2:80 -s bogus", 255, "Scheduler or persistence engine not found"),
        ("-a -t 10.0.0.1:80 -r 224.0.0.1", 255, "Invalid operation.  Possibly wrong module version, address not"),
        ("-L -t 10.9.9.9:80", 1, "No such service"),
        ("--start-daemon master", 255, "--start-daemon: this version of BPVS has no connection synchronisation"),
        ("-D -t 10.0.0.1:80 --dry-run", 2, "--dry-run goes with -R itself, not with one of its lines"),
    ],
)
def test_atomic_does_all_or_nothing_and_names_the_line(line: str, code: int, message: str) -> None:
    done = Run(ADD, "", line, "-A -t 10.0.0.3:80 -s rr", options="atomic")
    assert (done.code, done.services, done.director.published) == (code, [], 0)
    assert done.err.startswith(f"line 3: {message}") and done.err.count("\n") == 1


def test_atomic_without_a_mistake_is_like_any_other() -> None:
    done = Run("-v", ADD, "--set 5 0 0", "-S -n", "-A -t 10.0.0.3:80 -s rr", options="atomic")
    assert (done.code, done.err, done.services) == (0, "", ["10.0.0.1", "10.0.0.3"])
    assert done.out.endswith(f"{ADD}\n")
    assert (done.director.published, done.director.limits) == (1, Timeouts(5, 120, 300))
    assert Run("", options="atomic").director.published == 0


def test_atomic_forgets_timeouts_too() -> None:
    done = Run("--set 5 6 7", "-Z -t 10.0.0.1:80", options="atomic")
    assert (done.code, done.err, done.director.limits) == (255, "line 2: No such service\n", Timeouts())


def test_a_rehearsal_tells_each_change_and_makes_none() -> None:
    director = MemoryDirector()
    Run(ADD, director=director)
    done = Run("-D -t 10.0.0.9:80", EDIT, "-C", options="dry-run", director=director)
    assert (done.code, done.err) == (0, "No such service\n")
    assert done.out == (
        "edit service tcp 10.0.0.1:80: scheduler rr -> wrr\n"
        "delete service tcp 10.0.0.1:80: servers 0, local addresses 0\n"
    )
    assert (done.services, director.published) == (["10.0.0.1"], 1)
    refused = Run(EDIT, ADD, options="dry-run atomic", director=director)
    assert (refused.code, refused.err) == (255, "line 2: Service already exists\n")
