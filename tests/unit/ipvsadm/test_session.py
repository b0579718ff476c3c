# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import io

import pytest

from bpvs.ipvsadm.session import Session, apply
from bpvs.model import Address, Protocol, RealServer, ServiceKey, Table, VirtualService
from bpvs.testing import FixedResolver, MemoryDirector
from bpvs.text.command import parse_command
from bpvs.text.names import Resolver

KEY = ServiceKey.at(Protocol.TCP, Address.parse("10.0.0.1"), 80)


class Restore:
    """One run of -R on a fresh director."""

    def __init__(self, *lines: str, director: MemoryDirector | None = None) -> None:
        self.director = director or MemoryDirector()
        stdout, stderr = io.StringIO(), io.StringIO()
        self.code = Session("ipvsadm", stdout, stderr, Resolver()).restore(self.director, lines)
        self.out, self.err = stdout.getvalue(), stderr.getvalue()

    @property
    def services(self) -> list[str]:
        return [str(s.key.address) for s in self.director.table().services()]


def test_restore_is_one_change() -> None:
    done = Restore("-A -t 10.0.0.1:80 -s rr", "-a -t 10.0.0.1:80 -r 10.0.0.2 -m", "-A -t 10.0.0.3:80 -s rr")
    assert (done.code, done.err, done.director.published) == (0, "", 1)
    assert done.services == ["10.0.0.1", "10.0.0.3"]


def test_restore_of_nothing_touches_nothing() -> None:
    done = Restore("\n", "  ipvsadm \t\n")
    assert (done.code, done.director.published) == (0, 0)


def test_refusals_are_told_and_the_last_line_decides() -> None:
    lines = ("-A -t 10.0.0.1:80 -s rr", "-A -t 10.0.0.1:80 -s rr", "--bogus-free", "-A -t 10.0.0.2:80 -s rr")
    refused = Restore(lines[0], lines[1])
    assert (refused.code, refused.err) == (255, "Service already exists\n")
    went_on = Restore(lines[0], lines[1], "-D -t 10.0.0.1:80 --bogus", lines[3])
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
    done = Restore("-A -t 10.0.0.1:80 -s rr", line, "-A -t 10.0.0.3:80 -s rr")
    assert (done.code, done.err, done.services) == (code, message, ["10.0.0.1"])


def test_not_built_is_a_refusal() -> None:
    done = Restore("--start-daemon master", "-A -t 10.0.0.1:80 -s rr")
    assert (done.code, done.services) == (0, ["10.0.0.1"])
    assert done.err.startswith("--start-daemon: this version of BPVS has no ")


def test_listings_inside_a_run_show_the_pending_table() -> None:
    done = Restore("-A -t 10.0.0.1:80 -s rr", "-S -n", "-L -n -t 10.0.0.1:80", "-D -t 10.0.0.1:80", "-S -n", "-Z")
    assert done.out.count("10.0.0.1:80 ") == 2
    assert (done.code, done.services) == (0, [])


def test_an_exception_publishes_nothing() -> None:
    class Interrupting(Resolver):
        def address_of(self, host: str) -> bytes | None:
            raise KeyboardInterrupt

    director = MemoryDirector()
    session = Session("ipvsadm", io.StringIO(), io.StringIO(), Interrupting())
    with pytest.raises(KeyboardInterrupt):
        session.restore(director, ["-A -t 10.0.0.1:80 -s rr", "-A -t name:80 -s rr"])
    assert (director.published, len(director.table())) == (0, 0)


def changed(line: str) -> Table:
    table = Table.of([(VirtualService(KEY, "rr"), [RealServer(Address.parse("10.0.0.2"), 80)], ())])
    apply(parse_command(line.split(), "ipvsadm", FixedResolver({}, {})), table)
    return table


def test_each_command_does_its_work() -> None:
    service = "-t 10.0.0.1:80"
    assert not changed(f"-D {service}").has(KEY)
    assert len(changed("-C")) == 0
    assert changed(f"-E {service} -s wrr").service(KEY).scheduler == "wrr"
    assert len(changed("-A -t 10.0.0.9:80")) == 2
    assert list(changed(f"-d {service} -r 10.0.0.2").servers(KEY)) == []
    assert [s.weight for s in changed(f"-e {service} -r 10.0.0.2 -w 9").servers(KEY)] == [9]
    assert [str(s.address) for s in changed(f"-a {service} -r 10.0.0.3").servers(KEY)] == ["10.0.0.3", "10.0.0.2"]


def test_local_addresses_come_and_go() -> None:
    table = changed("-P -t 10.0.0.1:80 -z 10.0.1.9")
    assert [str(address) for address in table.locals(KEY)] == ["10.0.1.9"]
    assert table.has(KEY)
    apply(parse_command(["-Q", "-t10.0.0.1:80", "-z10.0.1.9"], "ipvsadm", FixedResolver({}, {})), table)
    assert table.locals(KEY) == ()


def test_zero_knows_one_service_or_all() -> None:
    assert changed("-Z -t 10.0.0.1:80").zeroed == {KEY}
    assert changed("-Z").zeroed_all
    assert changed("-Z -t 0.0.0.0:0").zeroed_all


def test_complaints_come_after_the_output_so_far() -> None:
    both = io.StringIO()
    session = Session("ipvsadm", both, both, Resolver())
    session.stdout.write("listing\n")
    session.complain("complaint")
    assert both.getvalue() == "listing\ncomplaint\n"
