# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from bpvs.model import Address, Counters, LocalStatus, ServerStatus, ServiceStatus


def test_counters_add_and_subtract_field_by_field() -> None:
    one, other = Counters(1, 2, 3, 4, 5), Counters(10, 20, 30, 40, 50)
    assert one + other == Counters(11, 22, 33, 44, 55)
    assert (one + other) - one == other


def test_a_server_without_figures_shows_zeros() -> None:
    known, unknown = Address.parse("192.0.2.7"), Address.parse("192.0.2.8")
    status = ServiceStatus(servers={(known, 80): ServerStatus(active=2)})
    assert status.server(known, 80).active == 2
    assert status.server(known, 81) == status.server(unknown, 80) == ServerStatus()


def test_a_local_address_without_figures_shows_zeros() -> None:
    known, unknown = Address.parse("192.0.2.7"), Address.parse("192.0.2.8")
    status = ServiceStatus(locals={known: LocalStatus(7, 1)})
    assert status.local(known) == LocalStatus(7, 1)
    assert status.local(unknown) == ServiceStatus().local(known) == LocalStatus()
