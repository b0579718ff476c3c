# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs up`: load the data plane and attach it."""

from __future__ import annotations

import argparse
import sys

from bpvs.cli.status import describe
from bpvs.cli.style import style_for
from bpvs.director import Director
from bpvs.kernel import _abi

MODES = ("auto", "xdp", "tc")
_MOST_CONNECTIONS = 1 << 26
NO_SOURCES = "none"


def main(arguments: list[str]) -> int:
    """Exit code 0 when everything wanted is attached."""
    options = _parser().parse_args(arguments)
    director = Director()
    sources = [] if options.tunnel_sources == [NO_SOURCES] else options.tunnel_sources
    director.up(options.dev, options.mode, options.connections, sources)
    sys.stdout.write(describe(director, style_for(sys.stdout)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bpvs up",
        description="Loads the data plane of this network namespace and attaches it; `ipvsadm` does the same at its "
        "first change. Running it again looks for new interfaces and repairs what was detached.",
    )
    parser.add_argument(
        "--dev",
        action="append",
        metavar="IFACE",
        help="attach to this interface only (may be repeated; lo is always included); default: all that bring packets",
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="auto",
        help="auto (default): TC everywhere, and XDP where the driver does it natively and nothing is lost; xdp: "
        "native XDP on every interface, and TC; tc: TC only",
    )
    parser.add_argument(
        "--connections",
        type=_connections,
        metavar="N",
        help="size of the connection table, fixed once it is loaded (default: 262144, less by memory)",
    )
    parser.add_argument(
        "--tunnel-sources",
        action="append",
        metavar="PREFIX",
        help="outer source addresses of tunnels vary by flow within this network, one of each family (may be "
        f"repeated); {NO_SOURCES}: the address of the way again; without the option nothing changes",
    )
    return parser


def _connections(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else -1
    if not _abi.MIN_CONNS <= number <= _MOST_CONNECTIONS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {_abi.MIN_CONNS} to {_MOST_CONNECTIONS}")
    return number
