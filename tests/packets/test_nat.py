# SPDX-License-Identifier: GPL-2.0-or-later
"""forward/nat.h and csum.h: what leaves differs from what came in by address, port, TTL and checksums, nothing else."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from bpvs.model import Protocol
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, difference
from tests.packets.rig import Action, Hook, Rig
from tests.packets.shapes import rows_for

pytestmark = pytest.mark.root

TCP4 = Path(CLIENT, "10.0.0.100", 80, "10.2.0.11", 80)
TCP6 = Path(CLIENT6, "fd00::100", 80, "fd02::11", 80)
PATHS = {
    "tcp4": TCP4,
    "tcp4 other port": replace(TCP4, virtual_port=81, server_port=8081),
    "tcp6": TCP6,
    "tcp6 other port": replace(TCP6, virtual_port=81, server_port=8081),
    "udp4": replace(TCP4, protocol=Protocol.UDP),
    "udp4 other port": replace(TCP4, protocol=Protocol.UDP, virtual_port=81, server_port=8081),
    "udp6": replace(TCP6, protocol=Protocol.UDP),
    "udp6 other port": replace(TCP6, protocol=Protocol.UDP, virtual_port=81, server_port=8081),
}

ROWS = rows_for(PATHS)


@pytest.fixture(autouse=True)
def _served(rig: Rig) -> None:
    rig.serve(*(path.row for path in PATHS.values()))


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize(("path", "shape"), ROWS)
def test_request_goes_to_the_server(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    flow = Flow(path, rig.port())
    run = rig.run(hook, flow.request(shape))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_server(shape))


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize(("path", "shape"), ROWS)
def test_reply_comes_from_the_service(rig: Rig, hook: Hook, path: Path, shape: Shape) -> None:
    flow = Flow(path, rig.port())
    assert rig.run_uncounted(hook, flow.request(Shape()))[0] is Action.REDIRECT
    run = rig.run(hook, flow.reply(shape), "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_client(shape))


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_client_on_the_director(rig: Rig, path: Path) -> None:
    flow = Flow(replace(path, client="fd01::1" if path.is_ipv6 else "10.1.0.1"), rig.port(), is_local=True)
    request = rig.run(Hook.TC, flow.request(Shape()), "lo")
    assert request.action is Action.REDIRECT
    assert not difference(request.frame, flow.to_server(Shape()))
    for ttl in (0, 1, 64):
        shape = Shape(flags="SA", ttl=ttl)
        reply = rig.run(Hook.TC, flow.reply(shape), "back")
        assert reply.action is Action.REDIRECT
        assert not difference(reply.frame, flow.to_client(shape))


def _payload_for(flow: Flow, checksum: int, sent: str) -> bytes:
    """Two bytes with which the frame that leaves has this transport checksum, found from the one that zeros give."""
    send = flow.to_server if sent == "request" else flow.to_client
    content = send(Shape(payload=bytes(2)))
    offset = 14 + (40 if flow.path.is_ipv6 else 20) + (6 if flow.path.protocol is Protocol.UDP else 16)
    found = int.from_bytes(content[offset : offset + 2], "big")
    return ((found - checksum) % 0xFFFF).to_bytes(2, "big")


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize(("sent", "wanted"), list(product(("request", "reply"), (0, 1, 0xFFFE))))
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_checksums_at_the_edge(rig: Rig, hook: Hook, path: Path, sent: str, wanted: int) -> None:
    """A sum of 0 is written as 0xffff in UDP, where 0 means that there is none (RFC 768, RFC 8200)."""
    flow = Flow(path, rig.port())
    shape = Shape(payload=_payload_for(flow, wanted, sent))
    if sent == "request":
        out, expected = rig.run(hook, flow.request(shape)).frame, flow.to_server(shape)
    else:
        rig.run_uncounted(hook, flow.request(Shape()))
        out, expected = rig.run(hook, flow.reply(shape), "back").frame, flow.to_client(shape)
    assert not difference(out, expected)
    if path.protocol is Protocol.UDP and wanted == 0:
        assert out[-4:-2] == b"\xff\xff"
