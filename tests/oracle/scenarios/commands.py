# SPDX-License-Identifier: GPL-2.0-or-later
"""The recorded scenarios of commands (tests/golden/ipvsadm), played anew by both."""

from __future__ import annotations

import os
import tempfile
from functools import partial

from bpvs.net import namespace
from tests.golden.told import FOLDER, told
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import add

_ELSEWHERE = {
    "c00_defaults": "the scenarios of settings and counters show more",
    "c01_version_help": "the text of the help is our own",
    "c03_not_root": "needs no kernel",
    "c32_sort_order": "lists services in the order of a hash over a pointer",
    "c36_hostnames": "replaces /etc/hosts",
    "c38_conn_proc": "hides /proc",
}


def commands(play: Play, scenario: str) -> None:
    """Every command with its answer; the first clears the table, which the recording found empty."""
    play.run("-C")
    # Else every name that is looked up waits for an answer of the network's name servers.
    play.stage.configure("route delete default")
    try:
        _play(play, scenario)
    finally:
        play.stage.configure("route add default via 10.255.0.2")
        # Some make an interface.
        play.shell("ip link delete d0", os.environ, shown=False)


def _play(play: Play, scenario: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "T": folder}
        with namespace.inside(play.stage.director):
            plan = list(told(scenario, environment))
        for kind, line, words in plan:
            if kind == "note":
                play.note(line)
            elif kind == "shell":
                play.shell(words[0], environment)
            elif words[0] == "cat" and words[1].startswith("/proc/net/ip_vs"):
                play.proc(words[1].rpartition("/")[2])
            elif os.path.basename(words[0]) == "ipvsadm":
                answer = play.side.ipvsadm(play.stage.director, words[1:], program=words[0])
                if kind != "quiet":
                    play.show(f"$ {line}", answer)
            else:
                play.shell(line, environment, shown=kind != "quiet")


for _path in sorted(FOLDER.glob("c*.sh")):
    if _path.stem not in _ELSEWHERE:
        _name = _path.stem.partition("_")[2].replace("_", " ")
        _text = _path.read_text()
        _needs_device = "type dummy" in _text
        # Those that list connections: there are to be none. And those whose daemon refuses servers of the other family.
        _alone = "connection entries" in _path.with_suffix(".out").read_text() or "--start-daemon" in _text
        add(f"commands {_name}", partial(commands, scenario=_path.stem), alone=_alone, is_replayed=not _needs_device)
