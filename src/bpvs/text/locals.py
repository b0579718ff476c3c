# SPDX-License-Identifier: GPL-2.0-or-later
"""What `ipvsadm -G` prints of local addresses, in the columns of DPVS (tools/ipvsadm/ipvsadm.c)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bpvs.model import Address, ServiceKey, ServiceStatus
from bpvs.text.endpoint import EndpointPrinter
from bpvs.text.listing import mark_name

_NO_STATUS = ServiceStatus()


def local_title() -> str:
    """The line above the services."""
    return _line("VIP:VPORT", "TOTAL", "SNAT_IP", "CONFLICTS", "CONNS")


def local_lines(
    services: Iterable[tuple[ServiceKey, tuple[Address, ...]]],
    status: Mapping[ServiceKey, ServiceStatus],
    names: EndpointPrinter,
) -> Iterator[str]:
    """The line of each service, followed by those of its local addresses, in the given order.

    CONFLICTS is how often no port of the address was free, CONNS how many are in use. The addresses are numbers even
    where `names` finds names: those of one host often share one.
    """
    for key, addresses in services:
        state = status.get(key, _NO_STATUS)
        yield f"{_service_name(key, names):20} {len(addresses):<8} \n"
        for address in addresses:
            use = state.local(address)
            yield _line("", "", str(address), use.exhausted, use.ports)


def _line(service: str, total: str, address: str, conflicts: int | str, connections: int | str) -> str:
    return f"{service:20} {total:8} {address:20} {conflicts:<10} {connections:<10}\n"


def _service_name(key: ServiceKey, names: EndpointPrinter) -> str:
    if key.address is None:
        return mark_name(key)
    return names.text(key.address, key.port, key.protocol)
