# SPDX-License-Identifier: GPL-2.0-or-later
"""resume.h, limit.h: cookies that are sent again while SYNs are few."""

from __future__ import annotations

import time

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from tests.packets import proxied
from tests.packets.frames import Flow, Path, Shape, difference
from tests.packets.proxied import captured
from tests.packets.rig import Action, Hook, Rig, loaded

pytestmark = pytest.mark.root

BOTH = pytest.mark.parametrize("path", [proxied.NAT4, proxied.NAT6], ids=["IPv4", "IPv6"])
FEW, AGAIN_MS, TIMES = 64, 800, 3  # synproxy.h


@pytest.fixture(autouse=True)
def _few_syns(rig: Rig) -> None:
    """Guarded services, and no SYN in this second."""
    proxied.guard(rig, proxied.NAT4, proxied.NAT6, repeats=True)
    loaded().runtime.store(0, "greetings_since", 0)


@BOTH
def test_xdp_leaves_few_syns_to_tc_which_can_keep_copies(rig: Rig, path: Path) -> None:
    run = rig.run(Hook.XDP, Flow(path, rig.port()).request(Shape()))
    assert (run.action, run.verdicts) == (Action.PASS, {"PASS_TO_TC": 1})


def test_xdp_answers_a_flood_itself(rig: Rig) -> None:
    for _ in range(FEW + 1):
        rig.run_uncounted(Hook.TC, Flow(proxied.NAT4, rig.port()).request(Shape()))
    run = rig.run(Hook.XDP, Flow(proxied.NAT4, rig.port()).request(Shape()))
    assert (run.action, run.verdicts) == (Action.TX, {"ANSWER_COOKIE": 1})
    loaded().runtime.store(0, "greetings_since", 0)
    assert rig.run(Hook.XDP, Flow(proxied.NAT4, rig.port()).request(Shape())).verdicts == {"PASS_TO_TC": 1}


@BOTH
def test_a_kept_cookie_goes_out_again_after_its_time(rig: Rig, path: Path) -> None:
    flow = Flow(path, rig.port())
    sent = rig.run(Hook.TC, flow.request(Shape())).frame
    kept = sent[6:12] + sent[:6] + sent[12:]  # the copy has the addresses that the SYN had
    waits = rig.run_held(kept, "front", AGAIN_MS // 2)
    assert (waits.action, waits.verdicts) == (Action.REDIRECT, {})
    assert not difference(waits.frame, kept)
    again = rig.run_held(kept, "front", AGAIN_MS + 50)
    assert (again.action, again.verdicts) == (Action.REDIRECT, {"HOLD_COOKIE": 1})
    assert not difference(again.frame, aged(sent))


@pytest.mark.usefixtures("repeats")
def test_a_cookie_goes_out_again_three_times(rig: Rig) -> None:
    """Each time one hop older, by which its copy in the siding knows how often it was sent."""
    flows = [Flow(path, rig.port()) for path in (proxied.NAT4, proxied.NAT6)]
    with captured("front") as one, captured("front") as other:
        begin = time.monotonic()
        sent = [rig.run(Hook.TC, flow.request(Shape())).frame for flow in flows]
        for times in range(1, TIMES + 1):
            sent = [aged(frame) for frame in sent]
            got = [proxied.arrived_back(*pair) for pair in zip((one, other), flows, strict=True)]
            assert [difference(*pair) for pair in zip(got, sent, strict=True)] == ["", ""]
            due = times * AGAIN_MS / 1000
            assert 0.9 * due < time.monotonic() - begin < due + 0.7
        for pair in zip((one, other), flows, strict=True):
            with pytest.raises(TimeoutError):
                proxied.arrived_back(*pair, seconds=0.6)


def aged(frame: bytes) -> bytes:
    """The frame with its TTL or hop limit one less."""
    packet = Ether(frame)
    if IP in packet:
        packet[IP].ttl -= 1
        del packet[IP].chksum
    else:
        packet[IPv6].hlim -= 1
    return bytes(packet)


@BOTH
def test_a_kept_cookie_of_a_client_that_was_heard_of_ends(rig: Rig, path: Path) -> None:
    flow = Flow(path, rig.port())
    sent = rig.run(Hook.TC, flow.request(Shape(transport={"seq": 7}))).frame
    cookie = int.from_bytes(sent[-28:-24], "big")
    rig.run(Hook.TC, flow.request(Shape(flags="A", transport={"seq": 8, "ack": cookie + 1})))
    run = rig.run_held(sent, "front", AGAIN_MS + 50)
    assert (run.action, run.verdicts) == (Action.DROP, {})
