# SPDX-License-Identifier: GPL-2.0-or-later
"""Which links are the siding, and which are its ends but no siding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bpvs.net.links import ARPHRD_ETHER, IFF_UP, SIDING_MACS, Link, attachable
from bpvs.net.siding import DONE, WAIT, Siding, find
from bpvs.net.veth import MTU

END = Link(7, DONE, "veth", 0, 6, IFF_UP, ARPHRD_ETHER, SIDING_MACS[0], MTU, "", 0, "noqueue")
PEER = Link(6, WAIT, "veth", 0, 7, IFF_UP, ARPHRD_ETHER, SIDING_MACS[1], MTU, "", 0, "tbf")


def test_two_joined_ends_are_a_siding() -> None:
    assert find([END, PEER]) == Siding(7, 6, has_queue=True)
    assert find([END, replace(PEER, qdisc="noqueue")]) == Siding(7, 6, has_queue=False)


@pytest.mark.parametrize(
    "all_links",
    [
        [],
        [END],
        [PEER],
        [replace(END, flags=0), PEER],
        [END, replace(PEER, flags=0)],
        [replace(END, lower=5), PEER],
        [END, replace(PEER, name="bpvs-c")],
        [END, replace(PEER, mac=bytes(6))],
        [replace(END, kind="dummy"), PEER],
    ],
    ids=["nothing", "one", "other", "down", "peer down", "not joined", "renamed", "another's", "no veth"],
)
def test_what_is_no_siding(all_links: list[Link]) -> None:
    assert find(all_links) is None


def test_no_director_listens_on_it_under_any_name() -> None:
    assert attachable([END, replace(PEER, name="renamed")]) == []
    assert attachable([replace(END, mac=bytes(6))]) == [replace(END, mac=bytes(6))]
