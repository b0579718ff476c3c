# SPDX-License-Identifier: GPL-2.0-or-later
"""The `bpvs` command: one module per verb, imported when the verb is used."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module

from bpvs.model import BpvsError


@dataclass(frozen=True, slots=True)
class Verb:
    """A module with `main(arguments) -> exit code`, and the line that the help shows."""

    module: str
    summary: str


VERBS = {
    "up": Verb("bpvs.cli.up", "load the data plane and attach it to this namespace's interfaces"),
    "down": Verb("bpvs.cli.down", "detach and unload it; nothing of ours stays behind"),
    "sysctl": Verb("bpvs.cli.sysctl", "IPVS's settings, net.ipv4.vs.*: show and change them"),
    "mark": Verb("bpvs.cli.mark", "rules that give packets a firewall mark without netfilter"),
    "status": Verb("bpvs.cli.status", "what is loaded and where it is attached"),
    "proc": Verb("bpvs.cli.proc", "the text of IPVS's files in /proc/net"),
    "realserver": Verb("bpvs.cli.realserver", "virtual addresses, tunnel ends and TOA on a machine behind a director"),
    "health": Verb("bpvs.cli.health", "what the monitor daemon sees, and why a server is out"),
    "doctor": Verb("bpvs.cli.doctor", "what this host offers and lacks, each with the fix"),
    "demo": Verb("bpvs.cli.demo", "the LVS tutorial in network namespaces, then removed"),
}


def main(arguments: list[str] | None = None) -> int:
    """Runs `bpvs VERB ...`; exit code 0 for success, 1 for a failure told in one sentence, 2 for wrong usage."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(usage())
        return 0
    if words[0] in ("-v", "--version", "version"):
        from bpvs import __version__

        sys.stdout.write(f"bpvs {__version__}\n")
        return 0
    verb = VERBS.get(words[0])
    if verb is None:
        sys.stderr.write(f"bpvs: there is no verb {words[0]!r}; there are {', '.join(VERBS)}\n")
        return 2
    return _run(words[0], verb, words[1:])


def usage() -> str:
    """The help of `bpvs` itself: every verb in one line."""
    lines = [f"  bpvs {name:10} {verb.summary}" for name, verb in VERBS.items()]
    return "\n".join(
        [
            "Usage: bpvs VERB [option ...]",
            "",
            *lines,
            "",
            "`bpvs VERB --help` tells more. The virtual servers are set up with `ipvsadm`.",
            "",
        ]
    )


def _run(name: str, verb: Verb, arguments: list[str]) -> int:
    try:
        return int(import_module(verb.module).main(arguments))
    except (BpvsError, PermissionError) as error:
        sys.stderr.write(f"bpvs {name}: {error}\n")
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"\nbpvs {name}: interrupted\n")
        return 130
