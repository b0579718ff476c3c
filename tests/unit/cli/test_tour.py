# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo's own judgement: what passes, and that what is wrong does not."""

from __future__ import annotations

import pytest

from bpvs.cli import tours
from bpvs.cli.tours import tutorial as tour
from bpvs.cli.tours import watching
from bpvs.cli.tours.step import Seen, answers, counts, plain, prints, succeeds
from bpvs.cli.tours.tutorial import SERVERS
from bpvs.lab.shell import Result

STATS = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  192.168.122.53:80                   4       24       20     1552     1412
  -> 192.168.122.50:80                   2       12       10      776      706
  -> 192.168.122.51:80                   2       12       10      776      706
"""
CONNECTIONS = """\
IPVS connection entries
pro expire state       source             virtual            destination
TCP 01:59  TIME_WAIT   192.168.122.53:1   192.168.122.53:80  192.168.122.51:80
"""


def said(out: str, code: int = 0) -> Result:
    return Result("command", code, out, "")


def test_answers_come_in_turn_beginning_with_the_server_added_last() -> None:
    seen = Seen()
    for server in (SERVERS[1], SERVERS[0], SERVERS[1]):
        assert tour.answers_in_turn(said(f"{server}\n"), seen) == ""
    assert tour.answers_in_turn(said(f"{SERVERS[1]}\n"), seen) == f"the answer should come from {SERVERS[0]}"


def test_a_failed_command_is_never_right() -> None:
    seen = Seen([SERVERS[0]])
    for expect in (
        succeeds,
        prints("x"),
        tour.answers_in_turn,
        tour.counts_both_ways,
        tour.lists_connections,
    ):
        assert expect(said("x", 7), seen) == "exit code 7 instead of 0"


def test_a_refusal_must_be_a_refusal() -> None:
    assert tour.is_refused(said("", 7), Seen()) == ""
    assert "28 instead of 7" in tour.is_refused(said("", 28), Seen())
    assert "0 instead of 7" in tour.is_refused(said("192.168.122.50\n"), Seen())


def test_output_must_be_the_same_to_the_byte() -> None:
    expect = prints("a \n")
    assert expect(said("a \n"), Seen()) == ""
    assert expect(said("a\n"), Seen()) == "its output should be\na \n"


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("", "", ""),
        ("   4       24", "   3       24", "connections should be 4"),
        (
            "   2       12       10      776      706\n  ->",
            "   2       12        0      776        0\n  ->",
            "above zero",
        ),
    ],
)
def test_counters(old: str, new: str, wrong: str) -> None:
    seen = Seen([*SERVERS, *SERVERS])
    verdict = tour.counts_both_ways(said(STATS.replace(old, new) if old else STATS), seen)
    assert wrong in verdict if wrong else verdict == ""


def test_every_answer_has_its_connection() -> None:
    assert tour.lists_connections(said(CONNECTIONS), Seen([SERVERS[0]])) == ""
    assert "should be 2 connections" in tour.lists_connections(said(CONNECTIONS), Seen(list(SERVERS)))


def test_the_turn_begins_anew_after_a_restore() -> None:
    seen = Seen([SERVERS[1]])
    assert tour.restarts(tour.answers_in_turn)(said(f"{SERVERS[1]}\n"), seen) == ""
    assert seen.answers == [SERVERS[1]]


@pytest.mark.parametrize("picture", [tour.PICTURE, *(tours.tour(kind).picture for kind in tours.TYPES)])
def test_plain_pictures_are_ascii_of_the_same_shape(picture: str) -> None:
    assert plain(picture).isascii()
    assert [len(line) for line in plain(picture).splitlines()] == [len(line) for line in picture.splitlines()]


def test_counters_of_a_tour() -> None:
    assert counts(said(STATS.replace("  4  ", "  2  ", 1).replace("   2       12", "   1       12")), Seen()) == ""
    assert "one at each server" in counts(said(STATS), Seen())
    assert counts(said("", 1), Seen()) == "exit code 1 instead of 0"


def test_an_answer_is_one_line() -> None:
    assert answers("one")(said("one\n"), Seen()) == ""
    assert "should be" in answers("one")(said("two\n"), Seen())


@pytest.mark.parametrize("kind", tours.TYPES)
def test_a_tour_names_machines_that_its_packets_and_commands_are_at(kind: str) -> None:
    shown = tours.tour(kind)
    machines = {"client", "director", "server1", "server2"}
    assert {place.split()[0] for place in shown.path} <= machines
    assert {step.host for step in shown.steps} <= machines
    assert [step.is_captured for step in shown.steps].count(True) == 1


LISTING = """\
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  192.168.122.53:80 rr
  -> 192.168.122.50:80            Masq    1      0          3
  -> 192.168.122.51:80            Masq    1      0          5
"""


def test_the_table_must_have_just_these_servers() -> None:
    assert watching.lists(*SERVERS)(said(LISTING), Seen()) == ""
    assert watching.lists(SERVERS[1])(said(LISTING), Seen()) == f"the servers should be {SERVERS[1]}"
    assert watching.lists()(said("", 1), Seen()) == "exit code 1 instead of 0"


def test_every_word_must_be_said() -> None:
    assert watching.says("a", "b")(said("b a"), Seen()) == ""
    assert watching.says("a", "b")(said("a"), Seen()) == "its output should say 'b'"
    assert watching.says("a")(said("a", 3), Seen()) == "exit code 3 instead of 0"


def test_after_the_return_both_answer_whoever_begins() -> None:
    seen = Seen(["something older"])
    assert watching.begins_anew(said(SERVERS[0]), seen) == ""
    assert watching.another_answers(said(SERVERS[1]), seen) == ""
    assert watching.another_answers(said(SERVERS[1]), seen) == "the other server should answer"
    assert watching.another_answers(said("", 7), seen) == "exit code 7 instead of 0"
