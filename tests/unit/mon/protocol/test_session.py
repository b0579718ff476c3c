# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands, one session at a time."""

from __future__ import annotations

import asyncio

import pytest

from bpvs.model.mon import Key
from bpvs.mon.protocol.commands import COMMANDS
from bpvs.mon.protocol.session import Session, answer
from tests.mon.desk import Desk

HTTP = Key("web", "http")
PROTECTED = [word for word, command in COMMANDS.items() if command.is_protected]


def said(session: Session, line: str) -> list[str]:
    """The lines of the answer, the final one last."""

    async def run() -> list[str]:
        reply = await answer(session, line)
        return [*reply.lines, reply.final]

    return asyncio.run(run())


@pytest.fixture
def alice(desk: Desk) -> Session:
    return Session(desk, "127.0.0.1", user="alice")


@pytest.fixture
def stranger(desk: Desk) -> Session:
    return Session(desk, "192.0.2.99")


def snapshot(desk: Desk) -> object:
    """Whatever a command may change."""
    engine = desk.engine
    return (
        repr(engine.states),
        set(engine.disabled_hosts),
        set(engine.disabled_watches),
        engine.stopped_since,
        engine.failure_history.maxlen,
        repr(engine.config),
        list(desk.stage.effects),
        desk.told,
        desk.is_ending,
        sorted(path.name for path in desk.folder.iterdir()),
    )


# Each would change something if it were carried out.
CHANGES = [
    "ack web http known",
    "disable watch web",
    "disable service web http",
    "disable host 192.0.2.10",
    "enable watch web",
    "clear timers web http",
    "test monitor web http",
    "test alert web http 1 wd {Sun-Sat}",
    "set maxkeep 7",
    "set web http interval 9",
    "set web http opstatus ok",
    "reset stopped",
    "reload auth",
    "stop",
    "start",
    "term",
    "savestate all",
    "loadstate all",
]


@pytest.mark.parametrize("line", CHANGES)
def test_nobody_changes_anything_without_a_login(desk: Desk, stranger: Session, line: str) -> None:
    desk.result(HTTP, 1, "192.0.2.10\n")
    before = snapshot(desk)
    assert said(stranger, line) == ["520 command could not be executed, unknown command"]
    assert snapshot(desk) == before
    assert desk.logs[-1] == ("err", f"user '' tried '{line.split(maxsplit=1)[0]}', not authenticated")


@pytest.mark.parametrize("line", [*CHANGES, "list watch", "get web http interval", "servertime"])
def test_without_an_auth_file_nobody_may_do_anything(desk: Desk, line: str) -> None:
    (desk.folder / "auth.cf").write_text("")
    desk.reload_auth()
    before = snapshot(desk)
    session = Session(desk, "127.0.0.1", user="alice")
    assert said(session, line) == ["520 command could not be executed, unknown command"]
    assert snapshot(desk) == before


def test_every_changing_command_is_protected() -> None:
    assert {line.split()[0] for line in CHANGES} < set(PROTECTED)
    assert set(COMMANDS) - set(PROTECTED) == {
        "quit", "protid", "version", "login", "checkauth", "setview", "getview", "dump",
    }  # fmt: skip


def test_who_is_denied_is_told_of(desk: Desk) -> None:
    assert said(Session(desk, "127.0.0.1", user="eve"), "get web http interval")[0].startswith("520")
    assert desk.logs[-1] == ("err", "user 'eve' tried 'get', denied")


def test_one_command_has_one_final_line(alice: Session) -> None:
    for line in (*CHANGES, "ack web nope x", "test monitor nope nope", "set nope x y z", "", " list watch", "list"):
        lines = said(alice, line)
        finals = [one for one in lines if one[:3].isdigit() and one[3:4] == " "]
        assert finals == lines[-1:], line


def test_asking_makes_nothing(desk: Desk, alice: Session) -> None:
    before = snapshot(desk)
    for line in ("list opstatus nope", "list aliases nope", "get nope x y", "set nope x y z", "ack nope x y"):
        assert said(alice, line)[-1].startswith("520")
    assert snapshot(desk) == before
    assert said(alice, "list watch")[:-1] == ["web http", "web ping", "solo ping"]


def test_a_view_shows_its_groups_and_services(alice: Session) -> None:
    said(alice, "setview right")
    assert said(alice, "list watch") == ["solo ping", "220 list watch completed"]
    assert said(alice, "list opstatus web,http")[0].startswith("group=web")  # what is named is shown
    said(alice, "setview left")
    assert said(alice, "list deps")[2:4] == [r"exp web ping 'web:http'", "cmp web ping web:http"]


def test_a_host_is_a_name_and_no_pattern(desk: Desk, alice: Session) -> None:
    assert said(alice, "disable host 192.0.2.1.") == ["520 disable host failed, host(s) 192.0.2.1. do not exist"]
    assert said(alice, "disable host .*") == ["520 disable host failed, host(s) .* do not exist"]
    assert said(alice, "disable host 192.0.2.10") == ["220 disable host completed"]
    assert desk.engine.disabled_hosts == {("web", "192.0.2.10")}
    assert desk.told == [["disable", "host", "192.0.2.10"]]
    assert desk.saves == 1


def test_hosts_are_disabled_all_or_none(desk: Desk, alice: Session) -> None:
    assert said(alice, "disable host 192.0.2.10 nope") == ["520 disable host failed, host(s) nope do not exist"]
    assert not desk.engine.disabled_hosts
    assert not desk.told


def test_the_only_host_takes_its_watch_with_it(desk: Desk, alice: Session) -> None:
    said(alice, "disable host 192.0.2.20")
    assert said(alice, "list disabled") == ["group solo: 192.0.2.20", "watch solo", "220 list disabled completed"]
    said(alice, "enable host 192.0.2.20")
    assert said(alice, "list disabled") == ["220 list disabled completed"]


@pytest.mark.parametrize(
    ("comment", "kept"),
    [
        ("two words", "two"),
        ("'two words'", "two words"),
        (r"'a \27b\27\0ac'", "a 'b'\nc"),
        (r"'back\\slash'", "back\\slash"),
        ('"two words"', "two words"),
        ("", ""),
    ],
)
def test_ack_takes_one_value(desk: Desk, alice: Session, comment: str, kept: str) -> None:
    desk.result(HTTP, 1, "192.0.2.10\n")
    assert said(alice, f"ack web http {comment}") == ["220 ack completed"]
    assert desk.engine.states[HTTP].ack_comment == f"alice: {kept}"


def test_an_open_quote_is_an_error(desk: Desk, alice: Session) -> None:
    desk.result(HTTP, 1, "192.0.2.10\n")
    assert said(alice, "ack web http 'open")[0].startswith("520 the quote ' is not closed")
    assert not desk.engine.states[HTTP].ack


def test_only_a_failure_can_be_acknowledged(alice: Session) -> None:
    assert said(alice, "ack web http x") == ["520 service is in a non-failure state"]


def test_a_status_that_is_set_is_that_status(desk: Desk, alice: Session) -> None:
    assert said(alice, "set web http opstatus fail") == ["220 set completed"]
    assert said(alice, "list failures")[0].startswith("group=web service=http opstatus=0 ")
    assert said(alice, "set web http opstatus ok") == ["220 set completed"]
    assert said(alice, "list failures") == ["220 list failures completed"]
    assert said(alice, "set web http opstatus bogus") == ["520 undefined opstatus"]
    assert desk.downtimes == []


def test_a_value_cannot_forge_a_line(desk: Desk, alice: Session) -> None:
    forged = r"x\0a220 set completed"
    assert said(alice, f"set web http description '{forged}'") == [
        rf"web http description='{forged}'",
        "220 set completed",
    ]
    assert desk.engine.config.services[HTTP].description == "x\n220 set completed"


@pytest.mark.parametrize("value", ["0", "-1", "x", "1e9", "", "9999999999"])
def test_an_interval_must_be_one(desk: Desk, alice: Session, value: str) -> None:
    assert said(alice, f"set web http interval {value}")[0].startswith("520 set error")
    assert desk.engine.config.services[HTTP].interval == 5


def test_the_monitor_cannot_be_set(desk: Desk, alice: Session) -> None:
    assert said(alice, "set web http monitor evil.monitor")[0] == (
        "520 set error, only interval, description and opstatus can be set"
    )
    assert desk.engine.config.services[HTTP].monitor == ("http.monitor",)


@pytest.mark.parametrize("value", ["", "x", "-1", "1 2", "999999999999"])
def test_maxkeep_must_be_a_number(desk: Desk, alice: Session, value: str) -> None:
    assert said(alice, f"set maxkeep {value}")[0].startswith("520 set error")
    assert desk.engine.failure_history.maxlen == 100


def test_a_broken_file_is_told_and_changes_nothing(desk: Desk, alice: Session) -> None:
    (desk.folder / "mon.cf").write_text("bogus = 1\n")
    before = repr(desk.engine.config)
    assert said(alice, "test config") == [
        "cf error: unknown variable 'bogus', line 1",
        "520 test config completed, errors found in config file",
    ]
    assert said(alice, "reset")[0].endswith(" failed, error in config file")
    assert repr(desk.engine.config) == before


def test_a_broken_auth_file_keeps_the_old_rights(desk: Desk, alice: Session) -> None:
    (desk.folder / "auth.cf").write_text("list: all\nno colon here\n")
    assert said(alice, "reload auth")[0].startswith("520 auth.cf:2: ")
    assert desk.auth.may("alice", "reset")


def test_state_is_saved_and_loaded(desk: Desk, alice: Session) -> None:
    desk.result(HTTP, 1, "192.0.2.10\ndetail\n")
    said(alice, "disable service web ping")
    assert said(alice, "savestate all") == ["220 savestate completed"]
    line = said(alice, "list opstatus web,http")
    said(alice, "reset")
    assert said(alice, "list opstatus web,http") != line
    assert said(alice, "loadstate all") == ["220 loadstate completed"]
    restored = said(alice, "list opstatus web,http")[0]
    assert "last_summary=192.0.2.10 last_detail=detail\\0a" in restored
    assert "watch web service ping" in said(alice, "list disabled")


def test_dtlog_that_is_off_or_cannot_be_read(desk: Desk, alice: Session) -> None:
    desk.downtimes = None
    assert said(alice, "list dtlog") == ["520 list dtlog error, dtlogging is not turned on"]


def test_a_failed_login_costs_time_and_the_fifth_the_connection(desk: Desk) -> None:
    async def run() -> None:
        session = Session(desk, "192.0.2.99")  # not local
        loop = asyncio.get_running_loop()
        began = loop.time()
        replies = [await answer(session, "login alice guess") for _ in range(2)]
        assert [reply.final for reply in replies] == ["530 login unsuccessful"] * 2
        assert loop.time() - began >= 1.0
        assert session.failed_logins == 2
        session.failed_logins = 4
        await answer(session, "login alice guess")
        assert session.is_over
        assert session.user is None

    asyncio.run(run())


def test_a_password_never_reaches_the_log(desk: Desk) -> None:
    session = Session(desk, "192.0.2.99")
    said(session, "login alice s3cr3t word")
    said(session, "LOGIN alice s3cr3t")
    assert desk.logs
    assert not any("s3cr3t" in text for _, text in desk.logs)


def test_a_login_may_change_the_user(desk: Desk) -> None:
    session = Session(desk, "127.0.0.1")
    assert said(session, "login alice x") == ["220 login accepted"]
    assert said(session, "login eve x") == ["220 login accepted"]
    assert session.user == "eve"


def test_clients_text_in_the_log_is_one_short_line(desk: Desk, alice: Session) -> None:
    said(alice, "disable host \x1b[2J" + "x" * 10_000)
    assert all("\x1b" not in text and len(text) < 400 for _, text in desk.logs)
