# SPDX-License-Identifier: GPL-2.0-or-later
"""Why a group, a service or a server is as it is, and what must happen for it to return: sentences from a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpvs.model import BpvsError
from bpvs.mon.alerts.telling import one_line
from bpvs.mon.health.words import moment, name, outs, result
from bpvs.mon.lvs.rounds import spoken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpvs.model import Table
    from bpvs.mon.health.client import Snapshot
    from bpvs.mon.health.words import Part

_CALLS = 3  # alerts told of a service, the last ones


class Unknown(BpvsError):
    """Nothing is called that; the sentence says what there is."""


def explain(snapshot: Snapshot, what: str, table: Table | None) -> Iterator[str]:
    """Lines about `GROUP`, `GROUP:SERVICE` or a server. `table`: what is balanced now, None if that is not known."""
    chosen = [one for one in snapshot["services"] if what in (one["group"], name(one))]
    hosts = {host["host"] for service in chosen for host in service["hosts"]}
    if not chosen:
        chosen = [one for one in snapshot["services"] if any(host["host"] == what for host in one["hosts"])]
        hosts = {what}
    if not chosen and not any(True for _ in outs(snapshot, what)):
        known = ", ".join(dict.fromkeys(one["group"] for one in snapshot["services"])) or "none"
        raise Unknown(f"{what!r} is no group, group:service or server; the groups are {known}")
    for service in chosen:
        yield from _service(snapshot, service, hosts)
    for host in sorted(hosts or {what}):
        yield from _places(snapshot, host, table)


def _service(snapshot: Snapshot, service: Part, hosts: set[str]) -> Iterator[str]:
    now = snapshot["time"]
    since = f" since {moment(service['since'], now)}" if service["since"] else ""
    yield f"{name(service)} {_verdicts.get(service['status'], service['status'])}{since}."
    for host in service["hosts"]:
        if host["host"] in hosts:
            begun = f" since {moment(host['since'], now)}" if host["since"] else ""
            yield f"  {host['host']}: {host['state']}{begun}{_said(service, host)}."
    yield f"  {_next(service, now)}"
    yield from (f"  {line}" for line in _quiet(service))
    calls = [
        one for one in snapshot["alerts"] if (one["group"], one["service"]) == (service["group"], service["service"])
    ]
    for call in calls[-_CALLS:]:
        yield f"  called at {moment(call['time'], now)}: {call['alert']} ({call['type']}): {one_line(call['summary'])}"


_verdicts = {"fail": "fails", "ok": "is well", "untested": "was not checked yet"}


def _said(service: Part, host: Part) -> str:
    if host["state"] == "disabled":
        return "; it is not checked until a client says `enable host`"
    if host["state"] == "excluded":
        return "; exclude_hosts names it, so it is never checked"
    return f"; the last check said: {one_line(result(service, host['host']))}"


def _next(service: Part, now: int) -> str:
    if service["is_running"]:
        return "A check is running."
    if service["not_started"]:
        return f"No check is due: {service['not_started']}."
    return f"Next check by {service['monitor']} at {moment(service['next_check'], now)}."


def _quiet(service: Part) -> Iterator[str]:
    """Whatever keeps alerts, and so lvs.alert, from being called."""
    if service["alerts_disabled"]:
        yield f"Alerts of the {service['alerts_disabled']} are disabled: nothing goes out of the table or comes back."
    if service["acknowledged"]:
        yield f"Acknowledged by {one_line(service['acknowledged'])}: no more alerts until it is well."
    if service["depends_on"] and service["dependency_holds"] is False:
        yield f"Alerts wait: it depends on {service['depends_on']}, which does not hold."
    if not service["alerts_now"]:
        yield "No period with alerts holds now."


def _places(snapshot: Snapshot, host: str, table: Table | None) -> Iterator[str]:
    now = snapshot["time"]
    for entry, server, key in outs(snapshot, host):
        how = "removed from" if entry["how"] == "remove" else "without new connections in"
        yield f"{server.address}:{server.port} is {how} {key}; it had weight {server.weight}."
        for holder, held in entry["holders"].items():
            yield f"  Held out since {moment(held['since'], now)} for {holder}: {one_line(held['summary'])}"
        yield f"  It returns when {_and_(snapshot, entry['holders'])}."
    if table is not None:
        yield from _balanced(table, host)


def _and_(snapshot: Snapshot, holders: Part) -> str:
    """What each holder waits for."""
    services = {name(service): service for service in snapshot["services"]}
    return " and ".join(_condition(holder, services.get(holder)) for holder in holders)


def _condition(holder: str, service: Part | None) -> str:
    if service is None:
        return f"somebody adds it by ipvsadm, for {holder} is not configured any more,"
    if service["status"] != "fail":
        return f"{holder} fails and is well again (it is well now, but its upalert was not called)"
    if "lvs.alert" not in service["up_alerts"]:
        return f"somebody adds it by ipvsadm, for {holder} has no `upalert lvs.alert`,"
    return f"{holder} is well again"


def _balanced(table: Table, host: str) -> Iterator[str]:
    found = False
    for service in table.services():
        for server in table.servers(service.key):
            if str(server.address) == host:
                found = True
                yield f"The table has {host} in {spoken(service.key)}, port {server.port}, with weight {server.weight}."
    if not found:
        yield f"The table has no server {host}."
