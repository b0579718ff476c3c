# SPDX-License-Identifier: GPL-2.0-or-later
"""What every demonstration needs: a folder to work in, commands played as in a shell, and words on the terminal."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bpvs.cli.style import Style
from bpvs.cli.tours.step import Seen, Step, plain
from bpvs.lab.host import Host
from bpvs.lab.network import Network, end_programs
from bpvs.lab.shell import Result, own_tool

# curl's progress meter is for terminals, and what it prints here goes through us.
_PAUSE = 0.1  # seconds between two trials of a step with patience
_CURLRC = "silent\nshow-error\nnoproxy = *\n"


class DemoFailed(Exception):
    """A step gave something else than it should."""


def draw(picture: str, style: Style) -> None:
    """Shows a picture, with lines where the terminal has them."""
    sys.stdout.write(style.paint(picture if style.unicode else plain(picture), "cyan") + "\n")


def play(number: int, step: Step, prompt: str, host: Host, folder: Path, seen: Seen, style: Style) -> None:
    """Shows a step, runs it and shows what it said; DemoFailed if that is wrong."""
    if step.remark:
        say("\n" + style.paint(f"# {step.remark}", "dim"))
    say(f"{style.paint(prompt, 'green')} {style.paint(step.command, 'bold')}")
    result, wrong = _result(step, host, folder, seen)
    sys.stdout.write(result.out + result.err)
    sys.stdout.flush()
    if wrong:
        raise DemoFailed(f"step {number} (`{step.command}`): {wrong}")


def _result(step: Step, host: Host, folder: Path, seen: Seen) -> tuple[Result, str]:
    """What the command gave, and what is wrong with that."""
    deadline = time.monotonic() + step.patience
    while True:
        result = _shell(host, folder, step.command)
        wrong = step.expect(result, seen)
        if not wrong or time.monotonic() >= deadline:
            return result, wrong
        time.sleep(_PAUSE)


def _shell(host: Host, folder: Path, command: str) -> Result:
    """Runs one line on a machine as a shell would, in a folder where `ipvsadm` is this installation's."""
    environment = f"HOME={folder}", f"PATH={folder / 'bin'}:{os.environ.get('PATH', os.defpath)}"
    return host.run("env", "-C", str(folder), *environment, "sh", "-c", command)


@contextmanager
def workplace(network: Network, keep: bool) -> Iterator[Path]:
    """A folder for the shell of the steps, where `ipvsadm`, `bpvs` and `mon` are this installation's.

    Unless all went well and `keep`, it is removed, and before it the programs that the steps left running.
    """
    place = folder(network.name)
    (place / "bin").mkdir(parents=True, mode=0o700)
    with ExitStack() as leaving:
        leaving.callback(_clear, network, place)
        for name in ("ipvsadm", "bpvs", "mon"):
            wrapper = place / "bin" / name
            wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(own_tool(name))} "$@"\n', encoding="utf-8")
            wrapper.chmod(0o700)
        (place / ".curlrc").write_text(_CURLRC, encoding="ascii")
        yield place
        if keep:
            leaving.pop_all()


def _clear(network: Network, place: Path) -> None:
    for host in network.hosts.values():
        end_programs(host)
    shutil.rmtree(place)


def folder(name: str) -> Path:
    """Where the demonstration in the network of that name works."""
    return Path(tempfile.gettempdir()) / name


def say(text: str) -> None:
    """A line for the reader, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
