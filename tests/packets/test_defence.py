# SPDX-License-Identifier: GPL-2.0-or-later
"""defence.h: drop_packet, drop_entry, and when they and secure_tcp are called for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpvs.director import Director
from bpvs.lab.wait import until
from bpvs.model import Protocol, VirtualService
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, alone
from tests.packets.listing import counts, put_into, row_of
from tests.packets.rig import Action, Hook, Rig, loaded

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.141", 80, "10.2.0.11", 80)
TCP6 = Path(CLIENT6, "fd00::141", 80, "fd02::11", 80)
UDP4 = replace(TCP4, protocol=Protocol.UDP)
UDP6 = replace(TCP6, protocol=Protocol.UDP)
HOOKS = pytest.mark.parametrize("hook", Hook)
MODES = ("drop_entry", "drop_packet", "secure_tcp")


def fates(rig: Rig, hook: Hook, path: Path, count: int) -> str:
    """What became of so many packets that open connections: d dropped, o otherwise."""
    words = ""
    for _ in range(count):
        run = rig.run(hook, Flow(path, rig.port()).request(Shape()))
        assert run.is_forwarded or (run.action, run.verdicts) == (Action.DROP, {"DROP_DEFENCE": 1})
        words += "o" if run.is_forwarded else "d"
    return words


@HOOKS
@pytest.mark.parametrize("path", [TCP4, UDP6], ids=["TCP", "UDP over IPv6"])
@pytest.mark.parametrize(("rate", "expected"), [(3, "doodoodoodoo"), (1, "dddddddddddd"), (0, "oooooooooooo")])
def test_each_so_manieth_packet_is_dropped(rig: Rig, hook: Hook, path: Path, rate: int, expected: str) -> None:
    """From the first on; the count is at the end of a turn, as when the data plane was loaded."""
    path = alone(rig, path)
    loaded().runtime.store(0, "drop_left", 0)
    with rig.sysctls(drop_packet=3, am_droprate=rate):
        assert fates(rig, hook, path, 12) == expected


@HOOKS
def test_packets_that_open_nothing_are_neither_counted_nor_dropped(rig: Rig, hook: Hook) -> None:
    path = alone(rig, TCP4)
    flow = Flow(path, rig.port())
    rig.run_uncounted(hook, flow.request(Shape()))
    loaded().runtime.store(0, "drop_left", 1)
    with rig.sysctls(drop_packet=3):
        for shape in (Shape(flags="A"), Shape(), Shape(flags="FA")):
            assert rig.run(hook, flow.request(shape)).is_forwarded
        stranger = Flow(path, rig.port()).request(Shape(flags="A"))
        assert rig.run(hook, stranger).verdicts == {"PASS_NO_CONNECTION": 1}
        assert fates(rig, hook, path, 2) == "do"


@HOOKS
@pytest.mark.parametrize("mode", [0, 1])
def test_off_and_waiting_it_drops_nothing(rig: Rig, hook: Hook, mode: int) -> None:
    path = alone(rig, TCP4)
    with rig.sysctls(drop_packet=mode, am_droprate=1, amemthresh=0):
        assert fates(rig, hook, path, 4) == "oooo"


def test_connections_that_are_short_call_for_defence_and_plenty_calls_it_off(small: Rig) -> None:
    """1,024 rows, 24 in use: of 1,025 wanted 25 are missing, so each 41st packet goes."""
    with small.inside():
        path = alone(small, UDP4)
        assert fates(small, Hook.TC, path, 24) == "o" * 24
        director = Director()
        with small.sysctls(**dict.fromkeys(MODES, 1), amemthresh=1025):
            until(lambda: all(director.sysctls()[name] == 2 for name in MODES), "the defence", 5)
            runtime = loaded().runtime
            until(lambda: runtime.load(0, "drop_rate") == 1025 // 25, "the rate", 5)
            runtime.store(0, "drop_left", 1)
            assert fates(small, Hook.TC, path, 2) == "do"
            director.set_sysctls({"amemthresh": 0})
            until(lambda: all(director.sysctls()[name] == 1 for name in MODES), "its end", 5)
            assert fates(small, Hook.TC, path, 3) == "ooo"


def test_what_is_always_on_or_off_stays_so(small: Rig) -> None:
    with small.inside():
        fates(small, Hook.TC, alone(small, UDP4), 1)
        director = Director()
        with small.sysctls(drop_entry=3, drop_packet=0, secure_tcp=1, amemthresh=1025):
            until(lambda: director.sysctls()["secure_tcp"] == 2, "the defence", 5)
            assert (director.sysctls()["drop_entry"], director.sysctls()["drop_packet"]) == (3, 0)


CROWD = 600  # each walk looks at one in 32: none of so many survives a walk once in 10^8 walks


def crowd(rig: Rig, path: Path, count: int = CROWD) -> list[Flow]:
    flows = [Flow(path, rig.port()) for _ in range(count)]
    for flow in flows:
        rig.run_uncounted(Hook.TC, flow.request(Shape()))
    return flows


def rest(flow: Flow, seconds: int) -> None:
    """As if the connection had not been seen for so long."""
    conns = loaded().conns
    row = row_of(flow)
    conns.store(row, "seen", (conns.load(row, "seen") - seconds * 954) & 0xFFFFFFFF)  # 2^20 ns


@pytest.mark.parametrize("path", [TCP4, TCP6], ids=["IPv4", "IPv6"])
def test_half_open_connections_end_early_and_established_ones_do_not(rig: Rig, path: Path) -> None:
    path = alone(rig, path)
    flows = crowd(rig, path)
    for flow in flows[:5]:
        put_into(flow, "ESTABLISHED")
        rest(flow, 100)
    with rig.sysctls(drop_entry=3):
        until(lambda: counts(path)[0] < CROWD - 20, "the end of some connections", 8)
    states = [one.state for one in Director().connections() if one.virtual_port == path.virtual_port]
    assert states.count("ESTABLISHED") == 5
    assert "SYN_RECV" in states


def test_datagrams_that_rest_for_a_minute_end_early_and_others_do_not(rig: Rig) -> None:
    path = alone(rig, UDP4)
    flows = crowd(rig, path, 300)
    for flow in flows[:200]:
        rest(flow, 61)
    with rig.sysctls(drop_entry=3):
        until(lambda: counts(path)[1] < 290, "the end of some flows", 8)
        left = {one.client_port for one in Director().connections() if one.virtual_port == path.virtual_port}
    assert {flow.port for flow in flows[200:]} <= left


def test_the_share_is_one_in_32(rig: Rig) -> None:
    path = alone(rig, TCP4)
    crowd(rig, path)
    with rig.sysctls(drop_entry=3):
        until(lambda: counts(path)[0] < CROWD, "the end of a connection", 8)
    assert counts(path)[0] > CROWD * 3 // 4


def test_templates_end_early_unless_a_connection_got_through_or_needs_them(rig: Rig) -> None:
    """Of 200 clients one was answered and one has a flow; the flows of the others are over."""
    path = alone(rig, UDP4)
    with rig.change() as table:
        table.edit_service(VirtualService(path.key, "rr", persistence=300))
    flows = [Flow(replace(path, client=f"10.9.1.{number}"), rig.port()) for number in range(1, 201)]
    for flow in flows:
        rig.run_uncounted(Hook.TC, flow.request(Shape()))
    for flow in flows[1:]:
        rest(flow, 301)
    director = Director()
    assured, needed = flows[:2]
    rig.run_uncounted(Hook.TC, assured.reply(Shape()), "back")

    def templates() -> set[str]:
        found = (one for one in director.connections() if one.is_template and one.virtual_port == path.virtual_port)
        return {str(one.client) for one in found}

    until(lambda: counts(path) == (0, 1), "the end of the flows that rest", 8)
    rig.run_uncounted(Hook.TC, needed.request(Shape()))
    assert len(templates()) == 200
    with rig.sysctls(drop_entry=3):
        until(lambda: len(templates()) < 190, "the end of some templates", 8)
    assert {assured.path.client, needed.path.client} <= templates()
