# SPDX-License-Identifier: GPL-2.0-or-later
"""resume.h, limit.h: cookies that are sent again while SYNs are few."""

from __future__ import annotations

import pytest

from bpvs.net import siding
from tests.packets import proxied
from tests.packets.frames import Flow, Path, Shape, difference
from tests.packets.listing import loaded
from tests.packets.rig import Action, Hook, Rig

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("repeats")]

BOTH = pytest.mark.parametrize("path", [proxied.NAT4, proxied.NAT6], ids=["IPv4", "IPv6"])
FEW, AGAIN_MS = 64, 800  # synproxy.h


@pytest.fixture(autouse=True)
def _few_syns(rig: Rig) -> None:
    """Guarded services, a siding from which nothing returns by itself, and no SYN in this second."""
    proxied.guard(rig, proxied.NAT4, proxied.NAT6, repeats=True)
    rig.ip(f"link set {siding.WAIT} down")
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
    assert not difference(again.frame, sent)


@BOTH
def test_a_kept_cookie_of_a_client_that_was_heard_of_ends(rig: Rig, path: Path) -> None:
    flow = Flow(path, rig.port())
    sent = rig.run(Hook.TC, flow.request(Shape(transport={"seq": 7}))).frame
    cookie = int.from_bytes(sent[-28:-24], "big")
    rig.run(Hook.TC, flow.request(Shape(flags="A", transport={"seq": 8, "ack": cookie + 1})))
    run = rig.run_held(sent, "front", AGAIN_MS + 50)
    assert (run.action, run.verdicts) == (Action.DROP, {})
