# SPDX-License-Identifier: GPL-2.0-or-later
"""cookie.h, siphash.h: the cookies of the real program are those that its definition gives."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.packets import proxied
from tests.packets.cookies import Offer, is_genuine, siphash
from tests.packets.frames import Flow, Path
from tests.packets.rig import Hook, Rig

pytestmark = pytest.mark.root

# Of the authors' 64 (github.com/veorq/SipHash, vectors.h): the hash of bytes 0, 1, 2, ... under the key 0 to 15.
VECTORS = {
    0: "310e0edd47db6f72",
    1: "fd67dc93c539f874",
    2: "5a4fa9d909806c0d",
    3: "2d7efbd796666785",
    7: "37d1018bf50002ab",
    8: "6224939a79f5f593",
    15: "e545be4961ca29a1",
}

offers = st.builds(
    Offer,
    mss=st.one_of(st.none(), st.integers(0, 65535)),
    scale=st.one_of(st.none(), st.integers(0, 255)),
    sack=st.booleans(),
)
clients = {
    False: st.integers(2, 254).map(lambda last: f"10.1.0.{last}"),
    True: st.integers(2, 0xFFFF).map(lambda last: f"fd01::{last:x}"),
}


@pytest.mark.parametrize("length", VECTORS)
def test_model_gives_the_published_hashes(length: int) -> None:
    assert siphash(bytes(range(16)), bytes(range(length))).hex() == VECTORS[length]


@pytest.mark.parametrize("path", [proxied.NAT4, proxied.NAT6], ids=["IPv4", "IPv6"])
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hook=st.sampled_from(Hook),
    offer=offers,
    isn=st.integers(0, 2**32 - 1),
    port=st.integers(1, 65535).filter(lambda port: port != 20),
    more=st.data(),
)
def test_any_offer_is_in_the_cookie(
    rig: Rig, path: Path, hook: Hook, offer: Offer, isn: int, port: int, more: st.DataObject
) -> None:
    proxied.guard(rig, proxied.NAT4, proxied.NAT6)
    flow = Flow(replace(path, client=more.draw(clients[path.is_ipv6])), port)
    cookie = proxied.greeted(rig, hook, flow, offer, isn)
    assert is_genuine(flow, isn, offer.kept(path.is_ipv6), cookie)
