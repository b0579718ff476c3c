# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables of what leaves have every way of forwarding, family and protocol, at both hooks, in both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest

from bpvs.model import Method, Protocol
from tests.packets import (
    test_fullnat,
    test_local,
    test_nat,
    test_route,
    test_sctp,
    test_sequence,
    test_translate,
    test_tun,
    test_tun_csum,
)
from tests.packets.frames import Path
from tests.packets.rig import Hook

Test = Callable[..., None]
Cell = tuple[str, str, str, str, str]

REQUESTS: tuple[tuple[str, Test], ...] = (
    ("", test_nat.test_request_goes_to_the_server),
    ("", test_route.test_request_goes_to_the_server),
    ("", test_tun.test_request_is_wrapped),
    ("", test_tun_csum.test_every_length),
    ("", test_fullnat.test_request_comes_from_the_local_address),
    ("", test_translate.test_request),
    ("", test_sctp.test_request_goes_to_the_server),
    ("", test_sctp.test_request_is_wrapped),
    ("SYNPROXY, ", test_sequence.test_both_directions),
    ("Local, ", test_local.test_request_is_handed_to_the_stack),
)
REPLIES: tuple[tuple[str, Test], ...] = (
    ("", test_nat.test_reply_comes_from_the_service),
    ("", test_route.test_reply_that_passes_is_sent_on),
    ("", test_tun.test_reply_that_passes_is_sent_on),
    ("", test_fullnat.test_reply_comes_from_the_service),
    ("", test_translate.test_reply),
    ("", test_sctp.test_reply_comes_from_the_service),
    ("", test_sctp.test_reply_that_passes_is_sent_on),
    ("SYNPROXY, ", test_sequence.test_both_directions),
    ("Local, ", test_local.test_reply_leaves_as_the_service),
)

EVERY = ("TCP", "UDP", "SCTP")
TUNNELS = ("ipip", "gue", "gre")
TRANSLATED = "FullNAT to IPv4"  # of IPv6 clients
# way of forwarding, its protocols; FullNAT does not take SCTP
WAYS = {
    **dict.fromkeys(("NAT", "DR", *(f"TUN {tunnel}" for tunnel in TUNNELS)), EVERY),
    "FullNAT": ("TCP", "UDP"),
    TRANSLATED: ("TCP", "UDP"),
    "SYNPROXY, NAT": ("TCP",),
    "SYNPROXY, FullNAT": ("TCP",),
    **dict.fromkeys(("Local, NAT", "Local, DR", "Local, TUN ipip"), EVERY),
}
# Replies of a tunnel's server do not travel in it, so they need no table of outer checksums.
SUMMED = {f"TUN {name}": EVERY for name in ("gue, FULL", "gue, REMOTE", "gre, FULL")}


def values(test: Test, name: str) -> list[Any]:
    """What a parameter of the test is, row by row."""
    for mark in getattr(test, "pytestmark", []):
        names = [mark.args[0]] if isinstance(mark.args[0], str) else list(mark.args[0])
        if mark.name == "parametrize" and name in names:
            rows = [row.values if isinstance(row, type(pytest.param())) else row for row in mark.args[1]]
            return [row[names.index(name)] if isinstance(row, tuple) else row for row in rows]
    return []


def way(path: Path) -> str:
    if path.method is Method.TUNNEL:
        checksum = path.tunnel.checksum.name
        return f"TUN {path.tunnel.type.name.lower()}" + ("" if checksum == "NONE" else f", {checksum}")
    if path.is_ipv6 and ":" not in path.server:
        return TRANSLATED
    return {Method.NAT: "NAT", Method.ROUTE: "DR", Method.FULLNAT: "FullNAT"}[path.method]


def cells(tables: tuple[tuple[str, Test], ...], direction: str) -> Iterator[Cell]:
    """What the tables have; a test that is not told a hook runs TC's programs alone."""
    for prefix, test in tables:
        paths = {(way(path), "IPv6" if path.is_ipv6 else "IPv4", path.protocol) for path in values(test, "path")}
        for (name, family, protocol), hook in product(paths, values(test, "hook") or [Hook.TC]):
            yield prefix + name, family, Protocol(protocol).name, hook.name, direction


def wanted(ways: dict[str, tuple[str, ...]], direction: str) -> Iterator[Cell]:
    for name, protocols in ways.items():
        met_at_egress = name.startswith("Local") and direction == "out"
        hooks = [Hook.TC] if met_at_egress else list(Hook)
        families = ["IPv6"] if name == TRANSLATED else ["IPv4", "IPv6"]
        for family, protocol, hook in product(families, protocols, hooks):
            yield name, family, protocol, hook.name, direction


@pytest.mark.parametrize(
    ("tables", "ways", "direction"), [(REQUESTS, WAYS | SUMMED, "in"), (REPLIES, WAYS, "out")], ids=["in", "out"]
)
def test_no_cell_is_missing(
    tables: tuple[tuple[str, Test], ...], ways: dict[str, tuple[str, ...]], direction: str
) -> None:
    missing = set(wanted(ways, direction)) - set(cells(tables, direction))
    assert sorted(missing) == []


def test_every_pair_of_families_is_tunnelled() -> None:
    for tables in (REQUESTS, REPLIES):
        paths = [path for _, test in tables for path in values(test, "path") if path.method is Method.TUNNEL]
        pairs = {(way(path), path.protocol, path.is_ipv6, ":" in path.server) for path in paths}
        protocols = (Protocol.TCP, Protocol.UDP, Protocol.SCTP)
        names = [f"TUN {tunnel}" for tunnel in TUNNELS]
        assert set(product(names, protocols, (False, True), (False, True))) <= pairs
