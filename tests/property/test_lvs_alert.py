# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever fails and recovers, in whichever order, for however many groups: in the end the table is as it was."""

from __future__ import annotations

import tempfile

from hypothesis import given
from hypothesis import strategies as st

from bpvs.model import Address, Family, Method, Protocol, RealServer, ServiceKey, Tunnel, TunnelType, VirtualService
from bpvs.model.mon import AlertKind, Key
from bpvs.mon.alerts import lvs
from bpvs.mon.core.values import CallAlert
from bpvs.mon.lvs.hosts import Resolver
from bpvs.testing import MemoryDirector

HOSTS = ("10.0.0.1", "10.0.0.2", "2001:db8::3")
GROUPS = {"one": (), "two": ("--quiesce",), "three": ("--service", "fwm:7")}
SERVICES = (
    ServiceKey.at(Protocol.TCP, Address.parse("192.0.2.1"), 80),
    ServiceKey.at(Protocol.UDP, Address.parse("2001:db8::1"), 53),
    ServiceKey.marked(7, Family.IPV6),
)

servers = st.builds(
    RealServer,
    st.sampled_from([Address.parse(host) for host in HOSTS]),
    st.sampled_from([80, 8080]),
    st.just(Method.TUNNEL),
    st.integers(0, 3),
    st.just(20),
    st.integers(0, 10),
    st.sampled_from([Tunnel(), Tunnel(TunnelType.GUE, 6080)]),
)
tables = st.lists(
    st.lists(servers, unique_by=lambda server: (server.address, server.port), max_size=4),
    min_size=len(SERVICES),
    max_size=len(SERVICES),
)
results = st.lists(st.tuples(st.sampled_from(list(GROUPS)), st.sets(st.sampled_from(HOSTS))), max_size=12)


def call(director: MemoryDirector, folder: str, group: str, failing: set[str]) -> None:
    """What the daemon calls at a result: an alert that names these hosts, or an upalert."""
    kind = AlertKind.FAILURE if failing else AlertKind.UP
    words = ("-s", "x", "-g", group, "-h", " ".join(HOSTS), "-t", "1000", *(() if failing else ("-u",)), *GROUPS[group])
    stdin = " ".join(sorted(failing)).encode()
    made = CallAlert(Key(group, "x"), kind, "lvs.alert", words, {"MON_STATEDIR": folder}, stdin)
    lvs.run(made, lambda: director, Resolver())


def content(director: MemoryDirector) -> dict[ServiceKey, set[RealServer]]:
    table = director.table()
    return {key: set(table.servers(key)) for key in SERVICES}


@given(tables, results)
def test_when_all_are_well_the_table_is_as_it_was(
    table: list[list[RealServer]], history: list[tuple[str, set[str]]]
) -> None:
    director = MemoryDirector()
    for key, members in zip(SERVICES, table, strict=True):
        director.add_service(VirtualService(key), members)
    before = content(director)
    with tempfile.TemporaryDirectory() as folder:
        failing: dict[str, set[str]] = {}
        for group, hosts in history:
            failing[group] = hosts
            call(director, folder, group, hosts)
            lvs._books.clear()  # as if the daemon had been killed
            removed = failing.get("one", set())
            quiesced = failing.get("two", set())
            for key, left in content(director).items():
                assert not {str(one.address) for one in left} & removed, key
                assert all(one.weight == 0 for one in left if str(one.address) in quiesced)
        for group in GROUPS:
            call(director, folder, group, set())
        lvs._books.clear()
    assert content(director) == before
