# SPDX-License-Identifier: GPL-2.0-or-later
"""Traps: results from elsewhere, heartbeats that are missed, failures that expire."""

from __future__ import annotations

from bpvs.model.mon import AlertKind, Key, Status
from bpvs.mon.core.values import Trap
from tests.unit.mon.core.stage import EPOCH, Stage

DISK = Key("far", "disk")


def far(*service: str) -> str:
    lines = ["hostgroup far a", "", "watch far", "service disk", *service]
    return "\n".join([*lines, "period", "alert a.alert dn", "upalert a.alert up", ""])


def test_a_trap_is_a_result() -> None:
    stage = Stage(far())
    stage.trap(DISK, 3, "disk full", "line1\nline2\n")
    (call,) = stage.calls()
    assert (call.kind, call.stdin) == (AlertKind.TRAP, b"disk full\n\nline1\nline2\n")
    assert call.arguments[8:] == ("-T", "dn")
    assert (call.environment["MON_RETVAL"], call.environment["MON_LAST_SUMMARY"]) == ("3", "disk full")
    state = stage.engine.states[DISK]
    assert (state.last_trap, state.last_traphost, state.last_detail) == (EPOCH, "192.0.2.1", "\nline1\nline2\n")
    stage.trap(DISK, 0, "fine")
    assert (stage.calls()[1].kind, stage.calls()[1].arguments[8:]) == (AlertKind.UP, ("-u", "up"))
    assert stage.downtimes()[0].interval == 0


def test_further_lines_of_a_summary_are_detail() -> None:
    stage = Stage(far())
    stage.trap(DISK, 3, "disk full\non node 1\n", "line1\n")
    (call,) = stage.calls()
    assert (call.stdin, call.environment["MON_LAST_SUMMARY"]) == (b"disk full\non node 1\n\nline1\n", "disk full")
    assert stage.engine.states[DISK].last_detail == "on node 1\n\nline1\n"


def test_where_a_trap_was_meant_to_go() -> None:
    stage = Stage(far())
    stage.take(stage.engine.trap(Trap(DISK, 2, "who", "d", "192.0.2.1", Key("no", "where")), stage.now))
    assert stage.calls()[0].environment["MON_TRAP_INTENDED"] == "no:where"
    stage.trap(DISK, 2, "who")
    assert "MON_TRAP_INTENDED" not in stage.calls()[1].environment


def test_a_heartbeat_that_is_missed_fails_every_time() -> None:
    stage = Stage(far("traptimeout 6s"))
    stage.tick_until(4)
    stage.trap(DISK, 0)
    stage.tick_until(9)
    stage.trap(DISK, 1, "failing, but alive")
    stage.tick_until(30)
    assert stage.timeline() == ["9 trap", "15 traptimeout", "21 traptimeout", "27 traptimeout"]
    call = stage.calls()[1]
    assert call.arguments[8:] == ("-O", "dn")
    assert call.stdin.startswith(b"trap timeout\ntrap timeout after 6s at ")
    assert (call.environment["MON_RETVAL"], call.environment["MON_LAST_SUMMARY"]) == ("1", "trap timeout")
    assert stage.engine.trap_timer(DISK, stage.now) == 3


def test_the_first_heartbeat_is_waited_for_from_the_start() -> None:
    stage = Stage(far("traptimeout 6s"))
    stage.tick_until(7)
    assert stage.timeline() == ["6 traptimeout"]


def test_trapduration_ends_the_outage_and_tells_so() -> None:
    stage = Stage(far("trapduration 10s"))
    stage.trap(DISK, 1, "bang")
    stage.tick_until(9)
    assert stage.engine.states[DISK].op_status == Status.FAIL
    stage.tick_until(11)
    assert stage.timeline() == ["0 trap", "10 up"]
    state = stage.engine.states[DISK]
    assert (state.op_status, state.first_failure, state.last_summary) == (Status.OK, 0, "bang")
    assert stage.downtimes()[0].seconds == 10


def test_trapduration_begins_anew_with_each_failure_and_not_at_all_after_a_success() -> None:
    stage = Stage(far("trapduration 10s"))
    stage.trap(DISK, 1, "bang")
    stage.tick_until(6)
    stage.trap(DISK, 1, "bang")
    stage.tick_until(12)
    assert stage.engine.states[DISK].op_status == Status.FAIL
    stage.trap(DISK, 0)
    assert stage.engine.next_due() is None
    assert stage.timeline() == ["0 trap", "6 trap", "12 up"]


def test_a_stopped_scheduler_misses_no_heartbeat() -> None:
    stage = Stage(far("traptimeout 6s"))
    stage.sleep(5)
    stage.engine.stop(stage.now)
    stage.tick_until(60)
    stage.engine.resume(stage.now)
    stage.tick_until(60.5)
    assert stage.timeline() == []
    stage.tick_until(62)
    assert stage.timeline() == ["61 traptimeout"]
