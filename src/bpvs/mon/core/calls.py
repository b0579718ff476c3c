# SPDX-License-Identifier: GPL-2.0-or-later
"""Arguments and environment of monitors and alerts, as scripts written for mon 1.3.6 expect them; mon(8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpvs.model.mon import AlertKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bpvs.model.mon import Key, Service, Settings
    from bpvs.mon.core.judge import Case
    from bpvs.mon.core.values import Moment, ServiceState

# Linux executes nothing that has an argument or variable of 128 KiB (execve(2), MAX_ARG_STRLEN).
LONGEST_VARIABLE = 64 * 1024
LONGEST_ENVIRONMENT = 512 * 1024
LONGEST_ARGUMENT = 120 * 1024
LONGEST_SUMMARY = 8 * 1024  # characters, where summaries are collected
CUT = b"...[cut]"
_SURELY_SHORT = 8 * 1024  # characters of all values together: even as UTF-8, and with names, within every limit

FLAGS = {
    AlertKind.UP: "-u",
    AlertKind.ACK: "-a",
    AlertKind.DISABLE: "-D",
    AlertKind.TRAP: "-T",
    AlertKind.TRAP_TIMEOUT: "-O",
}
_WITHOUT_RETVAL = frozenset({AlertKind.ACK, AlertKind.DISABLE})


def monitor_environment(settings: Settings, service: Service, state: ServiceState) -> dict[str, str]:
    """The variables that a monitor finds beside the daemon's own."""
    variables = _common(settings, service, state)
    if state.depend_status is not None:
        variables["MON_DEPEND_STATUS"] = str(int(state.depend_status))
    return capped(variables)


def alert_environment(settings: Settings, service: Service, case: Case) -> dict[str, str]:
    """The variables that an alert finds beside the daemon's own."""
    state = case.state
    variables = _common(settings, service, state)
    variables |= {
        "MON_FIRST_SUCCESS": str(state.first_success or ""),
        "MON_ALERTTYPE": case.kind.value,
        "MON_OPSTATUS": str(int(state.op_status)),
        "MON_FAILED_HOSTS": " ".join(case.failed),
        "MON_RECOVERED_HOSTS": " ".join(case.recovered),
    }
    if case.status or case.kind not in _WITHOUT_RETVAL:  # with a status it is a test of that kind
        variables["MON_RETVAL"] = str(case.status)
    if state.ack:
        variables["MON_ACK"] = state.ack_comment
    if state.trap_intended:
        variables["MON_TRAP_INTENDED"] = str(state.trap_intended)
    return capped(variables)


def alert_arguments(
    key: Key, hosts: Iterable[str], now: Moment, kind: AlertKind, own: tuple[str, ...]
) -> tuple[str, ...]:
    """What follows argv[0]: mon's options, a flag that tells the kind, and the script's own arguments.

    `hosts` are all enabled hosts of the group, whichever of them failed.
    """
    flag = (FLAGS[kind],) if kind in FLAGS else ()
    return ("-s", key.service, "-g", key.group, "-h", joined(hosts), "-t", str(int(now.epoch)), *flag, *own)


def joined(hosts: Iterable[str]) -> str:
    """Hosts as one argument; whole names only, and no more than a program can be given."""
    text = " ".join(hosts)
    if len(text) <= LONGEST_ARGUMENT:
        return text
    return text[:LONGEST_ARGUMENT].rpartition(" ")[0]


def brief(summary: str) -> str:
    """A summary for histories and logs, which keep many: a monitor that floods may print a line of a megabyte."""
    return summary if len(summary) <= LONGEST_SUMMARY else summary[:LONGEST_SUMMARY] + CUT.decode()


def capped(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables, each and all of them short enough to be given to a program.

    What is cut ends in `CUT`; those for which nothing is left are not there.
    """
    together = "".join(variables.values())
    if len(together) <= _SURELY_SHORT and "\0" not in together:  # as nearly always
        return dict(variables)
    left = LONGEST_ENVIRONMENT
    result = {}
    for name, value in variables.items():
        overhead = len(name) + len("=\0")
        data = _cut(_bytes_of(value).replace(b"\0", b""), min(LONGEST_VARIABLE, left) - overhead)
        if data is not None:
            left -= overhead + len(data)
            result[name] = text_of(data)
    return result


def _cut(data: bytes, longest: int) -> bytes | None:
    if len(data) <= longest:
        return data
    return data[: longest - len(CUT)] + CUT if longest >= len(CUT) else None


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _common(settings: Settings, service: Service, state: ServiceState) -> dict[str, str]:
    """What monitors and alerts both find. Variables without a value yet are absent."""
    known = bool(state.last_success or state.first_failure)
    optional = {
        "MON_DESCRIPTION": service.description or None,
        "MON_LAST_SUMMARY": state.last_summary if state.last_summary or state.last_output else None,
        "MON_LAST_OUTPUT": None if state.last_output is None else text_of(state.last_output),
        "MON_FIRST_FAILURE": str(state.first_failure) if known else None,
        "MON_STATEDIR": settings.statedir,
        "MON_LOGDIR": settings.logdir,
        "MON_CFBASEDIR": settings.cfbasedir,
    }
    return {
        **dict(service.environment),
        "MON_GROUP": state.key.group,
        "MON_SERVICE": state.key.service,
        "MON_LAST_FAILURE": str(state.last_failure),
        "MON_LAST_SUCCESS": str(state.last_success),
        **{name: value for name, value in optional.items() if value is not None},
    }


def text_of(output: bytes) -> str:
    """Output as text; bytes that are no UTF-8 come out again as they were (os.fsencode)."""
    return output.decode("utf-8", "surrogateescape")
