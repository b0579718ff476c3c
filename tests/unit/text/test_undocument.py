# SPDX-License-Identifier: GPL-2.0-or-later
"""What document makes of keys and servers is read back as it was."""

from __future__ import annotations

import json

import pytest

from bpvs.model import (
    Address,
    Family,
    Method,
    Protocol,
    RealServer,
    ServiceKey,
    Tunnel,
    TunnelChecksum,
    TunnelType,
)
from bpvs.text.document import key_document, server_document
from bpvs.text.undocument import read_key, read_server

FOUR, SIX = Address.parse("192.0.2.1"), Address.parse("2001:db8::1")


@pytest.mark.parametrize(
    "key",
    [
        ServiceKey.at(Protocol.TCP, FOUR, 80),
        ServiceKey.at(Protocol.SCTP, SIX, 0),
        ServiceKey.marked(7),
        ServiceKey.marked(2**32 - 1, Family.IPV6),
    ],
)
def test_a_key(key: ServiceKey) -> None:
    assert read_key(json.loads(json.dumps(key_document(key)))) == key


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize("address", [FOUR, SIX])
def test_a_server(method: Method, address: Address) -> None:
    server = RealServer(address, 8080, method, 3, 20, 10)
    assert read_server(json.loads(json.dumps(server_document(server)))) == server


@pytest.mark.parametrize(
    "tunnel",
    [
        Tunnel(TunnelType.GUE, 6080, TunnelChecksum.REMOTE),
        Tunnel(TunnelType.GRE, 0, TunnelChecksum.FULL),
        Tunnel(TunnelType.IPIP),
    ],
)
def test_a_tunnel(tunnel: Tunnel) -> None:
    server = RealServer(FOUR, 80, Method.TUNNEL, tunnel=tunnel)
    assert read_server(json.loads(json.dumps(server_document(server)))) == server


def test_a_word_that_names_nothing_is_refused() -> None:
    document = server_document(RealServer(FOUR, 80))
    with pytest.raises(ValueError, match="'teleport' is none of local, masquerading"):
        read_server(document | {"method": "teleport"})
