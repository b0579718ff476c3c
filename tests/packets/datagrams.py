# SPDX-License-Identifier: GPL-2.0-or-later
"""Datagrams in three fragments, on every way of forwarding: as each arrives, and what must become of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from bpvs.model import Method, Protocol
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, difference
from tests.packets.pieces import cut
from tests.packets.rig import Action, Hook, Rig
from tests.packets.tunnels import in_tunnel

TCP4 = Path(CLIENT, "10.0.0.170", 80, "10.2.0.15", 8080)
TCP6 = Path(CLIENT6, "fd00::170", 80, "fd02::15", 8080)
FAMILIES = {
    "tcp4": TCP4,
    "tcp6": TCP6,
    "udp4": replace(TCP4, protocol=Protocol.UDP),
    "udp6": replace(TCP6, protocol=Protocol.UDP),
}


def by(path: Path, method: Method, port: int) -> Path:
    """The path on a service of its own that forwards in another way."""
    local = "fd02::211" if path.is_ipv6 else "10.2.0.211"
    server_port = path.server_port if method is Method.FULLNAT else port
    return replace(
        path,
        virtual_port=port,
        server_port=server_port,
        method=method,
        local=local if method is Method.FULLNAT else "",
    )


PATHS = {f"{name} NAT": path for name, path in FAMILIES.items()} | {
    f"{name} {method.name}": by(path, method, 81 + number)
    for (name, path), (number, method) in product(
        FAMILIES.items(), enumerate((Method.ROUTE, Method.TUNNEL, Method.FULLNAT))
    )
}
LONG = Shape(flags="PA", payload=bytes((7 * place) % 251 for place in range(2501)))
FIRST, SECOND = 1000, 1608  # where a datagram is cut, from its transport header on


def serve(rig: Rig, *more: Path) -> None:
    """Make the table hold the services of all these paths, and more."""
    paths = (*PATHS.values(), *more)
    rig.serve(*(path.row for path in paths), locals_=[local for path in paths for local in path.locals])


def in_fragments(flow: Flow, sent: str, shape: Shape, ident: int) -> Iterator[tuple[bytes, bytes]]:
    """Each fragment as it arrives, and as it must leave but for outer headers; none carries a TCP option of ours."""
    flow = replace(flow, is_told=True)
    arrives, leaves = (flow.request, flow.to_server) if sent == "request" else (flow.reply, flow.to_client)
    yield from zip(
        cut(arrives(shape), FIRST, SECOND, ident=ident), cut(leaves(shape), FIRST, SECOND, ident=ident), strict=True
    )


def forwards(rig: Rig, hook: Hook, path: Path, sent: str, arrives: bytes, leaves: bytes) -> None:
    """The fragment goes on, as it must leave."""
    run = rig.run(hook, arrives, "front" if sent == "request" else "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    if path.method is Method.TUNNEL and sent == "request":
        leaves = in_tunnel(path, arrives, run.frame)
    assert not difference(run.frame, leaves)


def waits(rig: Rig, hook: Hook, arrives: bytes, link: str = "front") -> None:
    """XDP leaves it to TC, which sends it to the siding as it came."""
    run = rig.run(hook, arrives, link)
    expected = (Action.REDIRECT, "HOLD_FRAGMENT") if hook is Hook.TC else (Action.PASS, "PASS_TO_TC")
    assert (run.action, run.verdicts, run.frame) == (expected[0], {expected[1]: 1}, arrives)
