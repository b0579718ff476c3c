# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs sysctl`: IPVS's settings, net.ipv4.vs.*, of this network namespace."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping

from bpvs.director import Director
from bpvs.model import InvalidSysctl
from bpvs.model.sysctls import FIXED_SYSCTLS, SYSCTLS, sysctl_name
from bpvs.text.sysctls import parse_assignment

EPILOG = "Names may begin with `net.ipv4.`, as sysctl has them. `ipvsadm -S` saves what is not at its default."


def main(arguments: list[str]) -> int:
    """Sets what is to be set, all of it or nothing, and tells what was set or asked for."""
    parser = argparse.ArgumentParser(
        prog="bpvs sysctl", description="Shows and changes IPVS's settings of this network namespace.", epilog=EPILOG
    )
    parser.add_argument("-w", "--write", action="store_true", help="every setting is to be changed")
    parser.add_argument("--json", action="store_true", help="one JSON object, with defaults, ranges and meanings")
    parser.add_argument("settings", nargs="*", metavar="vs.NAME[=VALUE]", help="what to show or set; none: show all")
    options = parser.parse_args(arguments)
    if options.write and not options.settings:
        parser.error("-w wants vs.NAME=VALUE")
    names, changes = _parse(options.settings, options.write)
    director = Director()
    if changes:
        director.set_sysctls(changes)
    values = director.sysctls()
    if options.json:
        document = {"sysctls": [_document(name, values) for name in names or _all()]}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    elif names:
        sys.stdout.writelines(f"vs.{name} = {values[name]}\n" for name in names)
    else:
        sys.stdout.writelines(_list(values))
    return 0


def _parse(settings: Iterable[str], must_set: bool) -> tuple[list[str], dict[str, int]]:
    """The plain names, in order, and the values to be set; InvalidSysctl."""
    names, changes = [], {}
    for text in settings:
        if must_set or "=" in text:
            name, value = parse_assignment(text)
            changes[name] = value
        else:
            name = sysctl_name(text)
            if name in FIXED_SYSCTLS and FIXED_SYSCTLS[name].value is None:
                raise InvalidSysctl(f"vs.{name} has no value here: {FIXED_SYSCTLS[name].reason}")
        names.append(name)
    return names, changes


def _all() -> list[str]:
    return sorted([*SYSCTLS, *(name for name, fixed in FIXED_SYSCTLS.items() if fixed.value is not None)])


def _list(values: Mapping[str, int]) -> Iterable[str]:
    for name in _all():
        if name in FIXED_SYSCTLS:
            note = f"always: {FIXED_SYSCTLS[name].reason}"
        else:
            default = SYSCTLS[name].default
            note = "default" if values[name] == default else f"default {default}"
        setting = f"vs.{name} = {values[name]}"
        yield f"{setting:36}  # {note}\n"


def _document(name: str, values: Mapping[str, int]) -> dict[str, object]:
    fixed = FIXED_SYSCTLS.get(name)
    if fixed is not None:
        return {"name": f"vs.{name}", "value": fixed.value, "default": fixed.value, "fixed": fixed.reason}
    sysctl = SYSCTLS[name]
    return {
        "name": f"vs.{name}",
        "value": values[name],
        "default": sysctl.default,
        "lowest": 0,
        "highest": sysctl.highest,
        "meaning": sysctl.meaning,
    }
