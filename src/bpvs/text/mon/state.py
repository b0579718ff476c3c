# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of statedir in mon's format: `disabled` (what was taken out) and `opstatus` (what is known of services)."""

from __future__ import annotations

from bpvs.model import BpvsError
from bpvs.model.mon import Key
from bpvs.model.value import dataclass
from bpvs.text.mon.escape import escape, unescape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Of a service, in the file's order; `group` and `service` stand before them.
SERVICE_FIELDS = (
    "op_status",
    "failure_count",
    "alert_count",
    "last_success",
    "first_success",
    "consec_failures",
    "last_failure",
    "first_failure",
    "last_summary",
    "last_failure_time",
    "last_failure_summary",
    "last_failure_detail",
    "last_detail",
    "ack",
    "ack_comment",
    "last_trap",
    "last_traphost",
    "exitval",
    "last_check",
    "last_op_status",
    "failure_output",
    "trap_timer",
)
# Of each of its periods: `LABEL:last_alert` and so on; a label may hold anything but a tab.
PERIOD_FIELDS = ("last_alert", "alert_sent", "1stfailtime", "failcount")


class BadState(BpvsError):
    """A line of a state file that says nothing; `str()` names the line and what would be right."""

    text = "a line of a state file says nothing"


@dataclass(frozen=True, slots=True)
class Disabled:
    """What was taken out: hosts (in every group), whole watches, single services."""

    hosts: tuple[str, ...] = ()
    watches: tuple[str, ...] = ()
    services: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class SavedService:
    """A line of `opstatus` as text: what is missing was never set. `fields` may hold names that mon does not know."""

    key: Key
    fields: Mapping[str, str]
    periods: Mapping[str, Mapping[str, str]]  # by Period.key, then PERIOD_FIELDS


def print_disabled(disabled: Disabled) -> str:
    """The file `disabled`."""
    lines = [f"disable host {host}" for host in disabled.hosts]
    lines += [f"disable watch {group}" for group in disabled.watches]
    lines += [f"disable service {key.group} {key.service}" for key in disabled.services]
    return "".join(f"{line}\n" for line in lines)


def parse_disabled(text: str) -> Disabled:
    """What print_disabled() wrote; BadState for the first line that is something else."""
    hosts: list[str] = []
    watches: list[str] = []
    services: list[Key] = []
    for number, line in enumerate(text.splitlines(), start=1):
        match line.split():
            case []:
                pass
            case ["disable", "host", host]:
                hosts.append(host)
            case ["disable", "watch", group]:
                watches.append(group)
            case ["disable", "service", group, service]:
                services.append(Key(group, service))
            case _:
                raise BadState(
                    f"disabled:{number}: {line!r}: right would be `disable host H`, `disable watch G` or"
                    " `disable service G S`"
                )
    return Disabled(tuple(hosts), tuple(watches), tuple(services))


def print_opstatus(services: Iterable[SavedService]) -> str:
    """The file `opstatus`: fields that mon does not know stand last."""
    return "".join(f"{_line(saved)}\n" for saved in services)


def parse_opstatus(text: str) -> list[SavedService]:
    """What print_opstatus() wrote; BadState for the first line that names no service."""
    return [_saved(line, number) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _line(saved: SavedService) -> str:
    pairs = [("group", saved.key.group), ("service", saved.key.service)]
    pairs += [(name, saved.fields.get(name, "")) for name in SERVICE_FIELDS]
    for label, values in saved.periods.items():
        pairs += [(f"{label}:{name}", values.get(name, "")) for name in PERIOD_FIELDS]
    pairs += [(name, value) for name, value in saved.fields.items() if name not in SERVICE_FIELDS]
    return "\t".join(f"{name}={escape(value, doubling=True)}" for name, value in pairs)


def _saved(line: str, number: int) -> SavedService:
    fields: dict[str, str] = {}
    periods: dict[str, dict[str, str]] = {}
    for pair in line.split("\t"):
        name, _, value = _halves(pair)
        label, colon, period_field = name.rpartition(":")
        if colon and period_field in PERIOD_FIELDS:
            periods.setdefault(label, {})[period_field] = unescape(value)
        else:
            fields[name] = unescape(value)
    try:
        key = Key(fields.pop("group"), fields.pop("service"))
    except KeyError:
        raise BadState(
            f"opstatus:{number}: right would be `group=G`, `service=S` and more, a tab between them"
        ) from None
    return SavedService(key, fields, periods)


def _halves(pair: str) -> tuple[str, str, str]:
    """Name and value: a period's label may hold `=` itself, an escaped value may too, so its known names decide."""
    for name in PERIOD_FIELDS:
        label, mark, value = pair.partition(f":{name}=")
        if mark:
            return f"{label}:{name}", "=", value
    return pair.partition("=")
