# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings as they are typed and saved: NAME=VALUE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bpvs.model import InvalidSysctl
from bpvs.model.sysctls import SYSCTLS, changeable, refusal, sysctl_name
from bpvs.text.integers import LONG_MAX, parse_integer


def parse_assignment(text: str) -> tuple[str, int]:
    """The plain name and the value of `vs.drop_packet=3`; InvalidSysctl if that cannot be set."""
    where, equals, value = text.partition("=")
    if not equals:
        raise InvalidSysctl(f"`{text}' is not NAME=VALUE")
    name = sysctl_name(where.strip())
    number = parse_integer(value.strip(), -LONG_MAX, LONG_MAX)
    if number is None:
        raise refusal(name, f"`{value}'")
    changeable({name: number})
    return name, number


def sysctl_lines(values: Mapping[str, int]) -> Iterator[str]:
    """The lines that `ipvsadm -S` writes of settings: those that have not their default."""
    for name, sysctl in SYSCTLS.items():
        if values[name] != sysctl.default:
            yield f"--sysctl vs.{name}={values[name]}\n"
