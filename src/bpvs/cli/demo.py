# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs demo`: the LVS tutorial, command by command, in network namespaces of its own."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bpvs.cli.checks import Level, examine
from bpvs.cli.facts import gather
from bpvs.cli.style import Style, style_for
from bpvs.cli.tour import PICTURE, PLAIN_PICTURE, STEPS, VIP, Seen, Step
from bpvs.lab.network import remove
from bpvs.lab.shell import LabError, Result, own_tool
from bpvs.lab.topology import Tutorial, tutorial

# curl's progress meter is for terminals, and what it prints here goes through us.
_CURLRC = "silent\nshow-error\nnoproxy = *\n"


class DemoFailed(Exception):
    """A step gave something else than the tutorial says."""


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
            _show(options.keep, style_for(sys.stdout))
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


def _show(keep: bool, style: Style) -> None:
    begun = time.monotonic()
    with tutorial(keep) as lan, _workplace(lan, keep) as folder:
        sys.stdout.write(style.paint(PICTURE if style.unicode else PLAIN_PICTURE, "cyan") + "\n")
        lan.director.is_director = True
        lan.serve()
        seen = Seen()
        for number, step in enumerate(STEPS, 1):
            _play(number, step, lan, folder, seen, style)
        seconds = time.monotonic() - begun
        if keep:
            _how_to_play(lan, style)
    _say(style.paint(f"All {len(STEPS)} steps gave what the tutorial says, in {seconds:.1f} s.", "green", "bold"))
    if not keep:
        _say("The balancing ran in the kernel alone, and the namespaces, programs and tables are removed again.")


def _play(number: int, step: Step, lan: Tutorial, folder: Path, seen: Seen, style: Style) -> None:
    if step.remark:
        _say("\n" + style.paint(f"# {step.remark}", "dim"))
    _say(f"{style.paint('$', 'green')} {style.paint(step.command, 'bold')}")
    result = _shell(lan, folder, step.command)
    sys.stdout.write(result.out + result.err)
    sys.stdout.flush()
    wrong = step.expect(result, seen)
    if wrong:
        raise DemoFailed(f"step {number} (`{step.command}`): {wrong}")


def _shell(lan: Tutorial, folder: Path, command: str) -> Result:
    """Runs one line on the director as a shell would, in a folder where `ipvsadm` is this installation's."""
    environment = f"HOME={folder}", f"PATH={folder / 'bin'}:{os.environ.get('PATH', os.defpath)}"
    return lan.director.run("env", "-C", str(folder), *environment, "sh", "-c", command)


@contextmanager
def _workplace(lan: Tutorial, keep: bool) -> Iterator[Path]:
    folder = _folder(lan.network.name)
    (folder / "bin").mkdir(parents=True, mode=0o700)
    try:
        for name in ("ipvsadm", "bpvs"):
            wrapper = folder / "bin" / name
            wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(own_tool(name))} "$@"\n', encoding="utf-8")
            wrapper.chmod(0o700)
        (folder / ".curlrc").write_text(_CURLRC, encoding="ascii")
        yield folder
    except BaseException:
        shutil.rmtree(folder)
        raise
    if not keep:
        shutil.rmtree(folder)


def _folder(name: str) -> Path:
    return Path(tempfile.gettempdir()) / name


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
    _say("\n".join(lines))


def _remove(name: str) -> None:
    found = remove(name)
    shutil.rmtree(_folder(name), ignore_errors=True)
    _say(f"removed {', '.join(found)}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
