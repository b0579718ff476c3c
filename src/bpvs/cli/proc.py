# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs proc`: what programs that read IPVS's files in /proc/net would find there."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable

from bpvs.director import Director
from bpvs.text import proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpvs.ipvsadm.ports import DirectorPort

FILES: dict[str, Callable[[DirectorPort], Iterable[str]]] = {
    "ip_vs": lambda director: proc.table_lines(director.table(), director.status()),
    "ip_vs_app": lambda _: (proc.APPLICATIONS,),
    "ip_vs_conn": lambda director: proc.connection_lines(director.connections()),
    "ip_vs_conn_sync": lambda director: proc.origin_lines(director.connections()),
    "ip_vs_stats": lambda director: (proc.stats_text(director.totals()),),
    "ip_vs_stats_percpu": lambda director: (proc.cpu_stats_text(director.cpu_counters(), director.totals()),),
}


def main(arguments: list[str]) -> int:
    """Exit code 0; without a data plane the files are as IPVS's after its module was loaded."""
    parser = argparse.ArgumentParser(
        prog="bpvs proc",
        description="Prints what the kernel's IPVS has in the file of that name in /proc/net; changes nothing.",
    )
    parser.add_argument("file", choices=FILES)
    sys.stdout.writelines(lines(parser.parse_args(arguments).file, Director()))
    return 0


def lines(name: str, director: DirectorPort) -> Iterable[str]:
    """The file's text in pieces; KeyError for a file that IPVS has not."""
    return FILES[name](director)
