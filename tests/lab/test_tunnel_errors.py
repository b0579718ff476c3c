# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client learns when its packets do not get through a tunnel: the director of this network forwards nothing."""

from __future__ import annotations

import pytest

from tests.lab.balancing import Balanced, balanced

pytestmark = pytest.mark.root

FAMILIES = ("ipv4", "ipv6")
COULD_NOT_CONNECT = 7


def add_one(site: Balanced) -> None:
    site.net.director.ipvsadm("-A", *site.service(), "-s", "rr").checked()
    site.server("-a", site.servers[0], "-i")
    assert site.ask(1) == ["one"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_client_hears_at_once_that_the_server_is_out_of_reach(family: str) -> None:
    with balanced("tun", family) as site:
        add_one(site)
        site.net.network.configure(site.net.router, f"route add unreachable {site.servers[0]}")
        refused = site.net.client.curl("-g", "--max-time", "5", site.url())
        assert (refused.code, "time" in refused.err.lower()) == (COULD_NOT_CONNECT, False)
