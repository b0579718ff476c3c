# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs realserver`: the agent on a machine behind a director."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TypeVar

from bpvs.cli.status import NOT_LOADED
from bpvs.cli.style import Style, style_for
from bpvs.model import InvalidNetwork
from bpvs.model.network import Network
from bpvs.realserver import Agent, Plan, Report, parse_vip
from bpvs.realserver.plan import ANYWHERE, GUE_PORT

T = TypeVar("T")
_GROUPS = {"ended": "ended", "left": "left untouched", "dropped": "dropped", "toa": "TOA"}


def main(arguments: list[str]) -> int:
    """Exit code 0; of `status` 3 when the agent is not up."""
    options = _parser().parse_args(arguments)
    return int(options.act(options))


def describe(report: Report, style: Style) -> str:
    """The report for a person."""
    lines = [
        ("agent", f"{report.folder}, network namespace {report.cookie}"),
        ("addresses", ", ".join(report.vips) or "none"),
        ("interfaces", ", ".join(report.devices) or "none"),
        ("tunnels", f"IP in IP, GRE, GUE at port {report.gue_port}, from {_networks(report.tunnel_from)}"),
        ("TOA in", f"{report.cgroup}, from {_networks(report.toa_from)}" if report.cgroup else "no cgroup"),
        *((title, _counts(report, group)) for group, title in _GROUPS.items()),
    ]
    width = max(len(subject) for subject, _ in lines)
    text = "".join(f"{style.paint(f'{subject:{width}}', 'bold')}  {words}\n" for subject, words in lines)
    return text + "".join(f"{style.paint('warning', 'yellow')}  {words}\n" for words in report.warnings)


def _networks(prefixes: tuple[str, ...]) -> str:
    return "everybody" if str(ANYWHERE) in prefixes else ", ".join(prefixes)


def _counts(report: Report, group: str) -> str:
    """Those that ever happened."""
    told = {name: count for name, count in report.counters.items() if name.startswith(f"{group}_") and count}
    words = (f"{count} {name.removeprefix(f'{group}_').replace('_', ' ')}" for name, count in told.items())
    return ", ".join(words) or "nothing"


def _up(options: argparse.Namespace) -> int:
    plan = Plan(
        tuple(dict.fromkeys(options.vip)),
        tuple(options.dev) if options.dev else None,
        options.gue_port,
        options.toa,
        tuple(options.tunnel_from or [ANYWHERE]),
        tuple(options.toa_from or [ANYWHERE]),
    )
    Agent().up(plan)
    return _status(argparse.Namespace(json=False))


def _down(_options: argparse.Namespace) -> int:
    sys.stdout.write("undone\n" if Agent().down() else "nothing was set up\n")
    return 0


def _status(options: argparse.Namespace) -> int:
    report = Agent().report()
    if options.json:
        sys.stdout.write(json.dumps({"up": report is not None} | (asdict(report) if report else {}), indent=2) + "\n")
    else:
        sys.stdout.write(
            describe(report, style_for(sys.stdout)) if report else "not up: `bpvs realserver up --vip ...`\n"
        )
    return 0 if report else NOT_LOADED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bpvs realserver",
        description="On a real server behind a director that uses DR, TUN or FullNAT: virtual addresses that do not "
        "answer ARP, tunnel ends, and the clients' addresses that TOA carries. No process stays.",
    )
    acts = parser.add_subparsers(required=True, metavar="up | down | status")
    up = acts.add_parser(
        "up",
        description="Brings about exactly what is asked for; what only an earlier `up` asked for goes.",
    )
    _add_options(up)
    up.set_defaults(act=_up)
    down = acts.add_parser("down", description="Undoes everything that `up` did, and nothing else.")
    down.set_defaults(act=_down)
    status = acts.add_parser("status", description="Tells about this network namespace; changes nothing.")
    status.add_argument("--json", action="store_true", help="one JSON object")
    status.set_defaults(act=_status)
    return parser


def _add_options(up: argparse.ArgumentParser) -> None:
    up.add_argument(
        "--vip",
        action="append",
        required=True,
        type=_typed(parse_vip),
        metavar="ADDR",
        help="a virtual address (may be repeated)",
    )
    up.add_argument(
        "--dev",
        action="append",
        metavar="IFACE",
        help="an interface that the director or the clients are behind (may be repeated); default: all Ethernet "
        "interfaces that are up",
    )
    up.add_argument(
        "--gue-port",
        type=_port,
        default=GUE_PORT,
        metavar="N",
        help=f"UDP port at which GUE ends (default: {GUE_PORT})",
    )
    up.add_argument(
        "--tunnel-from",
        action="append",
        type=_typed(Network.parse),
        metavar="PREFIX",
        help="end tunnels from these outer sources only (may be repeated; default: from everybody)",
    )
    up.add_argument(
        "--toa", metavar="CGROUP", help="folder of the cgroup v2 whose sockets shall give the address that TOA tells"
    )
    up.add_argument(
        "--toa-from",
        action="append",
        type=_typed(Network.parse),
        metavar="PREFIX",
        help="believe TOA from these peers only (may be repeated; default: from everybody)",
    )


def _typed(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A type of argparse whose refusal is the sentence of our own error."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except (ValueError, InvalidNetwork) as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; right would be a number from 1 to 65535")
    return number
