# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client learns when its packets do not get through a tunnel: the director of this network forwards nothing."""

from __future__ import annotations

import pytest

from bpvs.lab.shell import own_tool
from tests.lab.balancing import balanced

pytestmark = pytest.mark.root

FAMILIES = ("ipv4", "ipv6")
COULD_NOT_CONNECT = 7


@pytest.mark.parametrize("outside", FAMILIES)
@pytest.mark.parametrize("family", FAMILIES)
def test_clients_hear_at_once_that_the_tunnel_has_no_end(family: str, outside: str) -> None:
    """In their own family, whatever the tunnel's; also one on the director."""
    with balanced("tun", family) as site:
        server = site.net.servers[0]
        site.net.director.ipvsadm("-A", *site.service(), "-s", "rr").checked()
        site.server("-a", (site.net.addresses6 if outside == "ipv6" else site.net.addresses)[0], "-i")
        assert site.ask(1) == ["one"]
        server.run(*own_tool("bpvs"), "realserver", "down").checked()
        for limit in ("net.ipv4.icmp_ratelimit", "net.ipv6.icmp.ratelimit"):
            server.set_sysctl(limit, 0)
        own = site.net.vips.six(2) if site.is_ipv6 else site.net.vips.four(2)
        for host, options in ((site.net.client, ()), (site.net.director, ("--interface", own))):
            refused = host.curl("-g", "--max-time", "5", *options, site.url())
            assert (refused.code, "time" in refused.err.lower()) == (COULD_NOT_CONNECT, False), host.name
