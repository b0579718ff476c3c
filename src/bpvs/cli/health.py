# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs health`: what the monitor daemon sees, one check run now, and why a server is out."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bpvs.cli.style import Style, style_for
from bpvs.mon.health.client import DEFAULT_PORT, NotAnswered, NotRunning, ask
from bpvs.mon.health.table import table

if TYPE_CHECKING:
    from bpvs.model import Table
    from bpvs.mon.health.once import Run

NOT_RUNNING = 3  # as `bpvs status`
_PAUSE = 1.0  # seconds between two looks of --watch
_CLEAR = "\x1b[H\x1b[2J"  # ECMA-48: cursor home, erase in page


def main(arguments: list[str]) -> int:
    """Exit code 0; 1 if a check that was run failed, 3 if there is no daemon to ask."""
    options = _parser().parse_args(arguments)
    style = style_for(sys.stdout)
    try:
        if options.command == "run":
            return _run(options, style)
        if options.command == "explain":
            _explain(options)
        else:
            _show(options, style)
    except NotRunning as error:
        sys.stderr.write(f"bpvs health: {error}\n")
        return NOT_RUNNING
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bpvs health", description="Tells what the monitor daemon `mon` of this network namespace sees."
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, metavar="N", help="the daemon's port for clients")
    commands = parser.add_subparsers(dest="command", metavar="run | explain")
    run = commands.add_parser("run", help="run one check now, with or without a daemon; nobody is told of it")
    run.add_argument("-v", "--verbose", action="store_true", help="every phase with its time")
    run.add_argument("-c", "--config", metavar="FILE", help="the configuration; else the daemon's, or /etc/mon/mon.cf")
    run.add_argument("group", metavar="GROUP")
    run.add_argument("service", metavar="SERVICE")
    explain = commands.add_parser("explain", help="why something is out, and what must happen for it to return")
    explain.add_argument("what", metavar="GROUP[:SERVICE] | SERVER")
    return parser


def _show(options: argparse.Namespace, style: Style) -> None:
    while True:
        try:
            found = ask(options.port)
            text = (
                json.dumps(found, indent=None if options.watch else 2) + "\n"
                if options.json
                else table(found, style.paint)
            )
        except NotRunning as error:
            if not options.watch:
                raise
            text = f"{error}\n"
        sys.stdout.write((_CLEAR if options.watch and style.colour else "") + text)
        sys.stdout.flush()
        if not options.watch:
            return
        time.sleep(_PAUSE)


def _explain(options: argparse.Namespace) -> None:
    from bpvs.mon.health.explain import explain

    found = ask(options.port)
    sys.stdout.writelines(f"{line}\n" for line in explain(found, options.what, _balanced()))


def _balanced() -> Table | None:
    """The table, for those who may read it."""
    from bpvs.director import Director

    try:
        return Director().table()
    except PermissionError:
        return None


def _run(options: argparse.Namespace, style: Style) -> int:
    from bpvs.mon.command import parse_command
    from bpvs.mon.configuration import load
    from bpvs.mon.health.once import run_once

    setup = load(parse_command(_configuration(options), Path.cwd()))
    run = asyncio.run(run_once(setup, options.group, options.service))
    sys.stdout.writelines(f"{line}\n" for line in _told(run, options.verbose, style))
    return int(run.status != 0)


def _configuration(options: argparse.Namespace) -> list[str]:
    """The words of `mon` that name the configuration: the file that was said, else that of the daemon that runs."""
    if options.config:
        return ["-c", options.config]
    with suppress(NotAnswered):
        return ["-c", str(ask(options.port)["daemon"]["config_file"])]
    return []


def _told(run: Run, is_verbose: bool, style: Style) -> Iterator[str]:
    width = max((len(report.host) for report in run.reports), default=0)
    for report in run.reports:
        verdict = style.paint("ok  ", "green") if report.is_ok else style.paint("fail", "red")
        yield f"{report.host:{width}}  {verdict}  {report.text}"
        if is_verbose:
            yield from (
                f"    {phase.name:12} {phase.seconds * 1000:9.2f} ms  {phase.note}".rstrip() for phase in report.phases
            )
            yield from (f"    {line}" for line in report.detail.splitlines())
    yield from run.output.splitlines()
    if is_verbose:
        yield style.paint(f"{run.program}: exit code {run.status} after {run.seconds:.3f} s", "dim")
