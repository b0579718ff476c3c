# SPDX-License-Identifier: GPL-2.0-or-later
"""lvs.alert on a table in memory: who goes, who comes back, and what others did meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bpvs.model import Address, DirectorError, Method, Protocol, RealServer, ServiceKey, Table, Tunnel, VirtualService
from bpvs.model import TunnelType as Type
from bpvs.model.mon import AlertKind, Key
from bpvs.mon.alerts import lvs
from bpvs.mon.alerts.calling import AlertFailed
from bpvs.mon.core.values import CallAlert
from bpvs.mon.lvs.book import FILE, read
from bpvs.mon.lvs.hosts import Resolver
from bpvs.testing import MemoryDirector

WEB = ServiceKey.at(Protocol.TCP, Address.parse("192.0.2.1"), 80)
TLS = ServiceKey.at(Protocol.TCP, Address.parse("192.0.2.1"), 443)
ONE, TWO = Address.parse("10.0.0.1"), Address.parse("10.0.0.2")
FIRST = RealServer(ONE, 8080, Method.TUNNEL, 3, 20, 10, Tunnel(Type.GUE, 6080))
SECOND = RealServer(TWO, 8080, Method.NAT)
SECURE = RealServer(ONE, 8443, Method.NAT, 5)


@pytest.fixture
def director() -> MemoryDirector:
    made = MemoryDirector()
    made.add_service(VirtualService(WEB), [FIRST, SECOND])
    made.add_service(VirtualService(TLS), [SECURE])
    return made


class Caller:
    """Calls lvs.alert as the daemon does, for the groups of one state directory."""

    def __init__(self, director: MemoryDirector, folder: Path) -> None:
        self.director, self.folder = director, folder

    def __call__(
        self,
        kind: AlertKind,
        said: str,
        *own: str,
        hosts: str = "10.0.0.1 10.0.0.2",
        group: str = "WEB",
        status: int = 1,
    ) -> str:
        flag = ["-u"] if kind is AlertKind.UP else []
        words = ("-s", "http", "-g", group, "-h", hosts, "-t", "1000", *flag, *own)
        environment = {"MON_STATEDIR": str(self.folder), "MON_RETVAL": str(status)}
        call = CallAlert(Key(group, "http"), kind, "lvs.alert", words, environment, said.encode())
        return lvs.run(call, lambda: self.director, Resolver(lambda _host: frozenset()))

    def down(self, said: str, *own: str, group: str = "WEB") -> str:
        return self(AlertKind.FAILURE, said, *own, group=group)

    def up(self, *own: str, group: str = "WEB") -> str:
        return self(AlertKind.UP, "", *own, group=group)


@pytest.fixture
def caller(director: MemoryDirector, tmp_path: Path) -> Caller:
    return Caller(director, tmp_path)


def servers(director: MemoryDirector, key: ServiceKey = WEB) -> list[RealServer]:
    return sorted(director.table().servers(key), key=lambda server: str(server.address))


def test_a_dead_server_leaves_every_service_and_returns_as_it_was(caller: Caller, director: MemoryDirector) -> None:
    said = caller.down("10.0.0.1\nrefused")
    assert said == "10.0.0.1:8080 of tcp:192.0.2.1:80 removed; 10.0.0.1:8443 of tcp:192.0.2.1:443 removed"
    assert (servers(director), servers(director, TLS)) == ([SECOND], [])
    said = caller.up()
    assert said == (
        "10.0.0.1:8080 of tcp:192.0.2.1:80 back with weight 3; 10.0.0.1:8443 of tcp:192.0.2.1:443 back with weight 5"
    )
    assert (servers(director), servers(director, TLS)) == ([FIRST, SECOND], [SECURE])


def test_calls_may_be_repeated(caller: Caller, director: MemoryDirector) -> None:
    caller.down("10.0.0.1")
    published = director.published
    assert caller.down("10.0.0.1") == "nothing changed"
    assert servers(director) == [SECOND]
    caller.up()
    assert caller.up() == "nothing is out"
    assert servers(director) == [FIRST, SECOND]
    assert director.published == published + 2


def test_quiesced_it_stays_with_weight_0(caller: Caller, director: MemoryDirector) -> None:
    assert caller.down("10.0.0.1", "--quiesce", "--port", "8080") == "10.0.0.1:8080 of tcp:192.0.2.1:80 got weight 0"
    assert servers(director) == [replace(FIRST, weight=0), SECOND]
    assert servers(director, TLS) == [SECURE]
    caller.down("10.0.0.1", "--quiesce", "--port", "8080")
    caller.up("--port", "8080")
    assert servers(director) == [FIRST, SECOND]


def test_quiesced_first_and_removed_later_it_returns_with_its_weight(caller: Caller, director: MemoryDirector) -> None:
    caller.down("10.0.0.1", "--quiesce")
    caller.down("10.0.0.1")
    assert servers(director) == [SECOND]
    caller.up()
    assert servers(director) == [FIRST, SECOND]


def test_only_the_services_that_were_named(caller: Caller, director: MemoryDirector) -> None:
    caller.down("10.0.0.1", "--service", "tcp:192.0.2.1:443")
    assert (servers(director), servers(director, TLS)) == ([FIRST, SECOND], [])


def test_of_several_hosts_those_that_the_summary_names(caller: Caller, director: MemoryDirector) -> None:
    caller.down("10.0.0.1")
    caller.down("10.0.0.1 10.0.0.2")
    assert servers(director) == []
    caller.down("10.0.0.2")
    assert servers(director) == [FIRST]
    caller.up()
    assert servers(director) == [FIRST, SECOND]


def test_the_last_one_stays_if_asked(caller: Caller, director: MemoryDirector) -> None:
    said = caller.down("10.0.0.1 10.0.0.2", "--keep-last", "--service", "tcp:192.0.2.1:80")
    assert "10.0.0.1:8080 of tcp:192.0.2.1:80 stays: it is the last one" in said
    assert servers(director) == [FIRST]
    # When the other one is back, the dead one goes.
    caller.down("10.0.0.1", "--keep-last", "--service", "tcp:192.0.2.1:80")
    assert servers(director) == [SECOND]


def test_a_server_of_weight_0_does_not_count_as_another(caller: Caller, director: MemoryDirector) -> None:
    director.set_weight(WEB, TWO, 8080, 0)
    caller.down("10.0.0.1", "--keep-last", "--port", "8080")
    assert FIRST in servers(director)


def test_two_groups_hold_a_server_until_both_let_go(caller: Caller, director: MemoryDirector) -> None:
    caller.down("10.0.0.1", group="WEB")
    caller.down("10.0.0.1", group="SSH")
    assert "stays out for SSH:http" in caller.up(group="WEB")
    assert servers(director) == [SECOND]
    caller.up(group="SSH")
    assert servers(director) == [FIRST, SECOND]


def test_a_group_of_one_host_needs_no_name(caller: Caller, director: MemoryDirector) -> None:
    caller(AlertKind.TRAP_TIMEOUT, "trap timeout", hosts="10.0.0.1")
    assert servers(director) == [SECOND]


@pytest.mark.parametrize("status", [64, 70, 126, 127])
def test_a_monitor_that_is_wrong_itself_takes_no_server_out(
    caller: Caller, director: MemoryDirector, status: int
) -> None:
    with pytest.raises(AlertFailed, match=rf"the monitor itself is wrong, not a server \(exit {status}\): -x is no"):
        caller(AlertKind.FAILURE, "-x is no option", hosts="10.0.0.1", status=status)
    assert servers(director) == [FIRST, SECOND]


def test_a_monitor_that_counts_64_failures_by_its_exit_code_names_them(
    caller: Caller, director: MemoryDirector
) -> None:
    caller(AlertKind.FAILURE, "10.0.0.1", status=64)
    assert servers(director) == [SECOND]


def test_a_summary_without_a_host_of_the_group_changes_nothing(caller: Caller, director: MemoryDirector) -> None:
    with pytest.raises(AlertFailed, match="the summary 'it is broken' names none of the group's hosts"):
        caller.down("it is broken")
    with pytest.raises(AlertFailed, match="nothing changed: web9 cannot be resolved"):
        caller(AlertKind.FAILURE, "web9", hosts="web9 10.0.0.1")
    assert servers(director) == [FIRST, SECOND]


def test_a_host_that_serves_nothing_is_told(caller: Caller) -> None:
    assert caller(AlertKind.FAILURE, "", hosts="10.0.0.9") == "10.0.0.9 is a server of no such service"


@pytest.mark.parametrize("kind", [AlertKind.TEST, AlertKind.ACK, AlertKind.STARTUP, AlertKind.DISABLE])
def test_other_kinds_of_call_change_nothing(kind: AlertKind, caller: Caller, director: MemoryDirector) -> None:
    assert caller(kind, "10.0.0.1") == f"nothing to do at a call of type {kind.value}"
    assert director.published == 2


def test_a_disabled_host_stays_out_until_it_is_checked_again(caller: Caller, director: MemoryDirector) -> None:
    caller.down("10.0.0.1")
    caller(AlertKind.UP, "", hosts="10.0.0.2")
    assert servers(director) == [SECOND]
    caller.up()
    assert servers(director) == [FIRST, SECOND]


def test_what_an_operator_did_meanwhile_stays(caller: Caller, director: MemoryDirector) -> None:
    caller.down("10.0.0.1", "--service", "tcp:192.0.2.1:80")
    caller.down("10.0.0.1", "--quiesce", "--service", "tcp:192.0.2.1:443", group="TLS")
    director.add_server(WEB, replace(FIRST, weight=9))
    director.set_weight(TLS, ONE, 8443, 7)
    assert "is back already" in caller.up()
    assert "has weight 7 already" in caller.up(group="TLS")
    assert (servers(director)[0].weight, servers(director, TLS)[0].weight) == (9, 7)


def test_what_an_operator_puts_back_while_it_fails_goes_out_again(caller: Caller, director: MemoryDirector) -> None:
    caller.down("10.0.0.1")
    director.add_server(WEB, replace(FIRST, weight=9))
    caller.down("10.0.0.1")
    assert servers(director) == [SECOND]
    caller.up()
    assert servers(director)[0].weight == 9


def test_an_operators_drain_is_not_undone(caller: Caller, director: MemoryDirector) -> None:
    director.set_weight(WEB, ONE, 8080, 0)
    assert "has weight 0 already" in caller.down("10.0.0.1", "--quiesce", "--port", "8080")
    caller.up()
    assert servers(director)[0].weight == 0


def test_what_was_deleted_meanwhile_is_forgotten(caller: Caller, director: MemoryDirector, tmp_path: Path) -> None:
    caller.down("10.0.0.1", "--quiesce", "--port", "8080")
    director.delete_server(WEB, ONE, 8080)
    assert caller.up() == "10.0.0.1:8080 of tcp:192.0.2.1:80 forgotten: it was deleted"
    caller.down("10.0.0.2")
    director.delete_service(WEB)
    assert caller.up() == "10.0.0.2:8080 of tcp:192.0.2.1:80 forgotten: the service is gone"
    assert read(tmp_path / FILE) == {}


def test_another_daemon_goes_on_where_a_killed_one_stopped(caller: Caller, director: MemoryDirector) -> None:
    caller.down("10.0.0.1")
    lvs._books.clear()
    caller.up()
    assert (servers(director), servers(director, TLS)) == ([FIRST, SECOND], [SECURE])


class Broken(MemoryDirector):
    """Fails when a change is to be published: nobody knows whether it was."""

    is_broken = True

    @contextmanager
    def _change(self) -> Iterator[Table]:
        with super()._change() as table:
            yield table
        if self.is_broken:
            raise DirectorError("the kernel said no")


def test_a_change_that_fails_forgets_nothing(tmp_path: Path) -> None:
    broken = Broken()
    broken.is_broken = False
    broken.add_service(VirtualService(WEB), [FIRST])
    broken.is_broken = True
    caller = Caller(broken, tmp_path)
    with pytest.raises(DirectorError, match="the kernel said no"):
        caller.down("10.0.0.1")
    assert len(read(tmp_path / FILE)) == 1
    broken.is_broken = False
    caller.up()
    assert servers(broken) == [FIRST]
    assert read(tmp_path / FILE) == {}


def test_without_a_place_for_its_file_it_acts_and_says_so(director: MemoryDirector, tmp_path: Path) -> None:
    caller = Caller(director, tmp_path / "missing")
    assert "lvs.alert.json could not be written, so a restart would forget this: No such file" in caller.down(
        "10.0.0.1"
    )
    caller.up()
    assert servers(director) == [FIRST, SECOND]


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 9}', '{"version": 1, "servers": [{}]}'])
def test_a_file_of_another_kind_is_not_overwritten(text: str, caller: Caller, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(AlertFailed, match=r"lvs\.alert\.json cannot be read"):
        caller.down("10.0.0.1")
    assert (tmp_path / FILE).read_text() == text


def test_the_file_is_for_people_too(caller: Caller, tmp_path: Path) -> None:
    caller.down("10.0.0.1 is dead")
    found = json.loads((tmp_path / FILE).read_text())
    assert found["servers"][0]["holders"] == {
        "WEB:http": {"host": "10.0.0.1", "since": 1000, "summary": "10.0.0.1 is dead"}
    }


def test_without_root_one_sentence(tmp_path: Path) -> None:
    def nobody() -> MemoryDirector:
        raise PermissionError("you must be root")

    words = ("-s", "http", "-g", "WEB", "-h", "10.0.0.1", "-t", "1000")
    call = CallAlert(
        Key("WEB", "http"), AlertKind.FAILURE, "lvs.alert", words, {"MON_STATEDIR": str(tmp_path)}, b"10.0.0.1\n"
    )
    with pytest.raises(AlertFailed, match="only root may: run mon as root"):
        lvs.run(call, nobody, Resolver())
