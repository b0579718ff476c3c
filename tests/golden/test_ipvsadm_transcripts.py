# SPDX-License-Identifier: GPL-2.0-or-later
"""Replay what was recorded from ipvsadm 1.31 on Linux 6.1, byte for byte, against a director in memory.

`ipvsadm/NAME.sh` is the scenario, `ipvsadm/NAME.out` what the real tool printed. Plain ipvsadm commands are run in this
process, lines of shell in a real shell.
"""

from __future__ import annotations

import io
import os
import pickle
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import bpvs
from bpvs.cli.proc import lines
from bpvs.ipvsadm.run import run
from bpvs.model import Address
from bpvs.testing import FixedResolver, MemoryDirector
from tests.golden.told import FOLDER, told

SCENARIOS = sorted(path.stem for path in FOLDER.glob("c*.sh"))

# The names that the recording machine knew.
SERVICES = {
    ("http", "tcp"): 80,
    ("https", "tcp"): 443,
    ("https", "udp"): 443,
    ("domain", "tcp"): 53,
    ("domain", "udp"): 53,
    ("ftp-data", "tcp"): 20,
    ("sip", "tcp"): 5060,
    ("sip", "udp"): 5060,
    ("http-alt", "tcp"): 8080,
    ("http-alt", "udp"): 8080,
}
HOSTS = {"127.0.0.1": ["localhost"]}

PROC = "/proc/net/"
HELP = "the help text is our own"
NEEDS_NOTHING = "help needs neither root nor the kernel"
NO_DAEMONS = "there is no connection synchronisation in this version"
DAEMONS = (
    "--start-daemon master",
    "--start-daemon master --mcast-interface d0",
    "--start-daemon master --mcast-interface nosuch0",
    (
        "--start-daemon master --mcast-interface d0 --syncid 255 --sync-maxlen 1000"
        " --mcast-group 239.1.2.3 --mcast-port 9000 --mcast-ttl 5"
    ),
    "--start-daemon backup --mcast-interface d0",
    "--start-daemon backup --mcast-interface d0 --syncid 7",
    "--start-daemon backup --mcast-interface d0 --sync-maxlen 100 --mcast-group ff05::8848",
    "--stop-daemon master",
    "--stop-daemon backup",
    "--stop-daemon backup --syncid 99",
    "-L --daemon",
)
# (scenario, command): why every answer to it differs on purpose, but for those under ALIKE
DIFFERENCES = {
    ("c01_version_help", "ipvsadm -h"): HELP,
    ("c01_version_help", "ipvsadm --help"): HELP,
    ("c03_not_root", "setpriv --reuid 65534 --regid 65534 --clear-groups ipvsadm -h"): NEEDS_NOTHING,
    ("c20_sched_flags", "ipvsadm -A -t 10.0.0.19:80 -s sh -b \\,"): "the real tool crashes; ours says what is wrong",
    ("c24_rs_addresses", "ipvsadm --start-daemon master --mcast-interface d0"): NO_DAEMONS,
    **{("c29_daemon", f"ipvsadm {command}"): NO_DAEMONS for command in DAEMONS},
    (
        "c38_conn_proc",
        "bash -c mount\\ -t\\ tmpfs\\ none\\ /proc\\;\\ ipvsadm\\ -Lc",
    ): "connections are in maps, not in /proc",
}
# The occurrences, from 1, of a command above that are answered alike: no daemon runs then in IPVS either.
ALIKE = {
    ("c29_daemon", "ipvsadm -L --daemon"): {1, 4},
    ("c29_daemon", "ipvsadm --stop-daemon master"): {2},
    ("c29_daemon", "ipvsadm --stop-daemon backup"): {1},
}
# The order in which the kernel gives services is that of a hash over a pointer: different after each boot. Here it is
# seen, or services' addresses lie more than 2^31 apart, so that their order depends on it.
HASH_ORDER = {
    ("c32_sort_order", "ipvsadm -Ln"),
    ("c32_sort_order", "ipvsadm -Ln --sort"),
    ("c32_sort_order", "ipvsadm -S -n"),
    ("c17_fwmark", "cat /proc/net/ip_vs"),
    ("c33_full_listing", "cat /proc/net/ip_vs"),
}

# What other programs than ours said.
SETTINGS = "tests/unit/model/test_sysctls.py compares the settings"
NOT_REPLAYED = {
    ("c00_defaults", "sysctl -a -r \\^net.ipv4.vs"): SETTINGS,
    ("c00_defaults", 'sysctl -a -r "^net.ipv4.vs.lblc"'): SETTINGS,
    (
        "c00_defaults",
        "ls /proc/net | grep ip_vs",
    ): "the kernel's names belong to the kernel; `bpvs proc` has these files",
    ("c00_defaults", "uname -a"): "of the machine",
    ("c24_rs_addresses", "ip route del default"): "of the machine",
}

# With these a rehearsal goes before each command, which must end as the command then does.
CHANGING = ("-A", "-E", "-D", "-C", "-a", "-e", "-d", "-Z", "--set")

# Stands in for the commands in a line of shell; the director is handed on in a file.
STAND_IN = """\
#!{python}
import os, pickle, sys
sys.path.insert(0, {path!r})
from bpvs.ipvsadm import entry
with open({state!r}, "rb") as file:
    director, resolver = pickle.load(file)
entry._director = lambda: director
entry.SystemResolver = lambda: resolver
before = director.published
sys.argv[0] = os.path.basename(sys.argv[0])
code = {function}()
if director.published != before:
    with open({state!r}, "wb") as file:
        pickle.dump((director, resolver), file)
sys.exit(code)
"""


class Replay:
    """One scenario on one director, in a folder of its own."""

    def __init__(self, scenario: str, folder: Path) -> None:
        self.scenario = scenario
        self.folder = folder
        self.director = MemoryDirector()
        self.director.broadcasts.add(Address.parse("10.0.0.255"))  # of the one network that a scenario makes
        self.resolver = FixedResolver(HOSTS, SERVICES)
        self.state = folder / "state"
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name, function in {
            "ipvsadm": "main",
            "ipvsadm-save": "save_main",
            "ipvsadm-restore": "restore_main",
        }.items():
            self._install(name, f"entry.{function}")
        (self.bin / "mount").symlink_to("/bin/true")  # no scenario may change what this machine has mounted

    def _install(self, name: str, function: str) -> None:
        script = self.bin / name
        path = str(Path(bpvs.__file__).parents[1])
        script.write_text(STAND_IN.format(python=sys.executable, path=path, state=str(self.state), function=function))
        script.chmod(0o755)

    def blocks(self) -> Iterator[tuple[str, str | None]]:
        """(first line, what follows it) of the transcript; None follows a command that is not ours."""
        pending: tuple[str, str | None] | None = None
        for kind, line, words in self._told():
            if kind == "quiet":
                self._ours(words)
            elif kind == "bare":
                assert pending is None or pending[1] is not None
                first, text = pending or ("", "")
                pending = (first, f"{text}{self._output(words)[0]}")
            else:
                if pending:
                    yield pending
                pending = (f"# {line}", "") if kind == "note" else (f"$ {line}", self._answer(kind, words))
        if pending:
            yield pending

    def _told(self) -> Iterator[tuple[str, str, list[str]]]:
        commands = told(self.scenario, self._environment())
        first = next(commands)
        hosts = self.folder / "hosts"
        if hosts.exists():
            lines = [line.split() for line in hosts.read_text().splitlines()]
            self.resolver = FixedResolver({line[0]: line[1:] for line in lines}, SERVICES)
        yield first
        yield from commands

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "T": str(self.folder), "PATH": f"{self.bin}:{os.environ['PATH']}"}

    def _answer(self, kind: str, words: list[str]) -> str | None:
        if kind == "shell" and "ipvsadm" not in words[0]:
            return None
        if kind == "shell" or words[0] == "bash":
            return formatted(*self._in_shell(["bash", "-c", words[-1]]))
        if words[0] == "cat" and words[1].startswith(PROC):
            return formatted("".join(lines(words[1].removeprefix(PROC), self.director)), "", 0)
        if words[0] == "ipvsadm-save":
            return formatted(*self._in_shell([str(self.bin / words[0]), *words[1:]]))
        result = self._ours(words)
        return None if result is None else formatted(*result)

    def _in_shell(self, words: list[str]) -> tuple[str, str, int]:
        self.state.write_bytes(pickle.dumps((self.director, self.resolver)))
        done = subprocess.run(
            words, env=self._environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        self.director, self.resolver = pickle.loads(self.state.read_bytes())  # noqa: S301 - our own file
        return done.stdout, done.stderr, done.returncode

    def _ours(self, words: list[str]) -> tuple[str, str, int] | None:
        """Standard output, standard error and exit code, or None if the command is not ipvsadm."""
        unprivileged = words[0] == "setpriv"
        if unprivileged:
            words = words[words.index("--clear-groups") + 1 :]
        return self._output(words, unprivileged) if words[0].endswith("ipvsadm") else None

    def _output(self, words: list[str], unprivileged: bool = False) -> tuple[str, str, int]:
        if not unprivileged and words[1:] and words[1] in CHANGING:
            before = self.director.published
            rehearsed = self._run([*words[:2], "--dry-run", *words[2:]], False)
            assert self.director.published == before
            ended = self._run(words, False)
            assert rehearsed[1:] == ended[1:], f"{words} ends otherwise with --dry-run"
            return ended
        return self._run(words, unprivileged)

    def _run(self, words: list[str], unprivileged: bool) -> tuple[str, str, int]:
        def director() -> MemoryDirector:
            if unprivileged:
                raise PermissionError
            return self.director

        stdout, stderr = io.StringIO(), io.StringIO()
        code = run(words[1:], words[0], io.StringIO(), stdout, stderr, director, self.resolver)
        return stdout.getvalue(), stderr.getvalue(), code


def formatted(stdout: str, stderr: str, code: int) -> str:
    """One command's result as the transcripts show it."""
    return f"{stdout}{'-- stderr:' + chr(10) + stderr if stderr else ''}-- rc={code}\n"


def recorded(scenario: str) -> list[tuple[str, str]]:
    """The transcript in the blocks that `Replay.blocks` gives."""
    blocks: list[tuple[str, str]] = []
    for line in (FOLDER / f"{scenario}.out").read_text().splitlines(keepends=True):
        if line.startswith(("$ ", "# ")):
            blocks.append((line.rstrip("\n"), ""))
        else:
            first, text = blocks[-1]
            blocks[-1] = (first, text + line)
    return blocks


def services_apart(text: str) -> list[str]:
    """The services of a listing or of saved lines in any order, each with its servers in their order."""
    parts: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.startswith(("  -> ", "-a ")) and "RemoteAddress" not in line:
            parts[-1] += line
        else:
            parts.append(line)
    return sorted(parts)


@pytest.mark.skipif(shutil.which("bash") is None, reason="the scenarios are written for bash")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_transcript_is_the_recorded_one(scenario: str, tmp_path: Path) -> None:
    expected = recorded(scenario)
    actual = list(Replay(scenario, tmp_path).blocks())
    assert [first for first, _ in actual] == [first for first, _ in expected]
    seen: Counter[str] = Counter()
    for (first, got), (_, want) in zip(actual, expected, strict=True):
        place = (scenario, first.removeprefix("$ "))
        seen[first] += 1
        if got is None:
            assert place in NOT_REPLAYED
            continue
        if place in DIFFERENCES and seen[first] not in ALIKE.get(place, ()):
            assert got != want, f"{first} does not differ any more: {DIFFERENCES[place]}"
        elif place in HASH_ORDER:
            assert services_apart(got) == services_apart(want), first
        else:
            assert got == want, first


def test_every_difference_names_a_recorded_command() -> None:
    known = {(scenario, first.removeprefix("$ ")) for scenario in SCENARIOS for first, _ in recorded(scenario)}
    assert set(DIFFERENCES) | set(NOT_REPLAYED) | HASH_ORDER <= known
    assert set(ALIKE) <= set(DIFFERENCES)
