# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs demo`: the LVS tutorial or a way of forwarding, command by command, in network namespaces of its own."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path

from bpvs.cli import ways
from bpvs.cli.checks import Level, examine
from bpvs.cli.facts import gather
from bpvs.cli.stage import DemoFailed, draw, folder, play, say, workplace
from bpvs.cli.style import Style, style_for
from bpvs.cli.tours import TYPES, tour, watching
from bpvs.cli.tours.step import Seen
from bpvs.cli.tours.tutorial import PICTURE, STEPS, VIP
from bpvs.lab.network import remove
from bpvs.lab.shell import LabError, own_tool
from bpvs.lab.topology import Tutorial, tutorial


def main(arguments: list[str]) -> int:
    """Exit code 0 only if every step gave what it should; 1 with one sentence that names what is missing or wrong."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        lacking = _lacking()
        if lacking:
            raise LabError(lacking)
        if options.remove:
            _remove(options.remove)
        else:
            style = style_for(sys.stdout)
            if options.type:
                ways.show(tour(options.type), options.keep, style)
            else:
                _show_tutorial(options.keep, style)
    except (LabError, DemoFailed) as error:
        sys.stdout.flush()
        sys.stderr.write(f"bpvs demo: {error}\n")
        return 1
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bpvs demo",
        description="Runs the LVS tutorial in network namespaces of its own, then removes them.",
    )
    parser.add_argument("--type", choices=TYPES, help="show one way of forwarding and its packets instead")
    parser.add_argument("--keep", action="store_true", help="leave it standing and print how to play with it")
    parser.add_argument("--remove", metavar="NAME", help="remove a demo that was left standing")
    return parser.parse_args(arguments)


def _lacking() -> str:
    """The first thing that this host lacks, as a sentence; "" if it has everything."""
    if os.geteuid() != 0:
        return "network namespaces and BPF need root: run it with sudo"
    for tool, package in (("ip", "iproute2"), ("curl", "curl")):
        if shutil.which(tool) is None:
            return f"the program {tool!r} is missing: apt-get install {package}"
    for finding in examine(gather()):
        if finding.level is Level.RED:
            return f"{finding.subject}: {finding.text}; fix: {finding.fix}"
    return ""


def _show_tutorial(keep: bool, style: Style) -> None:
    begun = time.monotonic()
    with tutorial(keep) as lan, workplace(lan.network, keep) as place:
        draw(PICTURE, style)
        lan.director.is_director = True
        lan.serve()
        _play_all(lan, place, style)
        if keep:
            _how_to_play(lan, style)
    count, seconds = len(STEPS) + len(watching.STEPS), time.monotonic() - begun
    say(style.paint(f"All {count} steps gave what the tutorial says, in {seconds:.1f} s.", "green", "bold"))
    if not keep:
        say("The balancing ran in the kernel alone, and the namespaces, programs and tables are removed again.")


def _play_all(lan: Tutorial, place: Path, style: Style) -> None:
    (place / "mon.cf").write_text(watching.CONFIG, encoding="ascii")
    seen = Seen()
    for number, step in enumerate((*STEPS, *watching.STEPS), 1):
        host = lan.network.hosts[step.host]
        play(number, step, "$" if host is lan.director else f"{step.host}$", host, place, seen, style)


def _how_to_play(lan: Tutorial, style: Style) -> None:
    on_director = f"ip netns exec {lan.director.name}"
    ipvsadm, bpvs = (shlex.join(own_tool(name)) for name in ("ipvsadm", "bpvs"))
    lines = [
        "",
        style.paint("The network is left standing. Play with it:", "bold"),
        f"  {on_director} curl {VIP}",
        f"  {on_director} {ipvsadm} -L -n --stats",
        f"  {on_director} {ipvsadm} -e -t {VIP}:80 -r {lan.addresses[0]} -m -w 0",
        f"  {on_director} {bpvs} status",
        f"  ip netns exec {lan.servers[0].name} curl {lan.addresses[1]}/client",
        style.paint("Remove it:", "bold"),
        f"  {bpvs} demo --remove {lan.network.name}",
        "",
    ]
    say("\n".join(lines))


def _remove(name: str) -> None:
    found = remove(name)
    shutil.rmtree(folder(name), ignore_errors=True)
    say(f"removed {', '.join(found)}")
