# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of mon: the options of mon 1.3.6 and `--check`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from bpvs import __version__
from bpvs.model.mon import Settings
from bpvs.mon.protocol.office import STATE_KINDS
from bpvs.text.mon.errors import Wrong
from bpvs.text.mon.settings import SETTINGS
from bpvs.text.mon.values import number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DEFAULT_CFBASEDIR = "/etc/mon"
_LOADS = {"none": (), "disabled": ("disabled",), "opstatus": ("opstatus",), "all": STATE_KINDS}

# letter, name, setting of mon.cf, what the value is, meaning
_SETTINGS = (
    ("a", "alertdir", "alertdir", "PATHS", "where alerts are looked for"),
    ("A", "authfile", "authfile", "FILE", "who may do what (auth.cf)"),
    ("b", "basedir", "basedir", "DIR", "what relative directories are below"),
    ("B", "cfbasedir", "cfbasedir", "DIR", "where the configuration, auth.cf and the user file are"),
    ("D", "statedir", "statedir", "DIR", "where state is kept"),
    ("k", "maxkeep", "histlength", "N", "entries in the histories"),
    ("L", "logdir", "logdir", "DIR", "where logs are written"),
    ("m", "maxprocs", "maxprocs", "N", "monitors that may run at once; 0: any number"),
    ("O", "syslogfacility", "syslog_facility", "NAME", "facility of syslog, with -f"),
    ("p", "port", "serverport", "PORT", "TCP port for clients"),
    ("t", "trapport", "trapport", "PORT", "UDP port for traps"),
    ("P", "pidfile", "pidfile", "FILE", "where the process id is written; an empty name: nowhere"),
    ("r", "randstart", "randstart", "TIME", "first checks are spread over this time, such as 60s"),
    ("s", "scriptdir", "mondir", "PATHS", "where monitors are looked for"),
)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What was asked for. `settings` win over the file's at every reading of it, not only at the first.

    directory: the current one, which relative names mean
    m4: the program through which the configuration is read; None: m4 for a file that ends in .m4
    load: which of STATE_KINDS are loaded at the start; tick: seconds between two looks at the schedule, at least
    """

    config: Path
    settings: Settings
    directory: Path
    m4: str | None = None
    load: tuple[str, ...] = STATE_KINDS
    tick: float = 0.0
    is_daemon: bool = False
    is_stopped: bool = False
    is_debug: bool = False
    is_check: bool = False


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"mon: {message}; `mon --help` tells the options\n")


def parse_command(words: Sequence[str], directory: Path) -> CommandLine:
    """The meaning of the words behind `mon`. SystemExit: help was asked for (0), or an option is wrong (2)."""
    options = _parser().parse_args([_double_dashed(word) for word in words])
    told = {setting: getattr(options, setting) for _, _, setting, _, _ in _SETTINGS}
    file = options.check or options.configfile or Path(told["cfbasedir"] or DEFAULT_CFBASEDIR, "mon.cf")
    return CommandLine(
        config=directory / file,
        settings=Settings(**told),
        directory=directory,
        m4=options.m4,
        load=_LOADS[options.loadstate],
        tick=float(options.sleep),
        is_daemon=options.fork,
        is_stopped=options.stopped,
        is_debug=options.debug > 0,
        is_check=options.check is not None,
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mon",
        description="Watches services and calls alerts when they fail and when they are back; see mon(8), mon.cf(5).",
    )
    for letter, name, setting, value, meaning in _SETTINGS:
        read = _reader(SETTINGS[setting].read)
        parser.add_argument(f"-{letter}", f"--{name}", dest=setting, type=read, metavar=value, help=meaning)
    add = parser.add_argument
    add("-c", "--configfile", metavar="FILE", help="the configuration; otherwise mon.cf of -B")
    add("-d", "--debug", action="count", default=0, help="log why alerts are not sent, and more")
    add("-f", "--fork", action="store_true", help="go into the background; the log goes to syslog")
    add("-i", "--sleep", type=_reader(number), default=0, metavar="SECONDS", help="look at the schedule so rarely")
    add(
        "-l", "--loadstate", nargs="?", const="disabled", default="all", choices=_LOADS, help="state that is taken over"
    )
    add("-M", "--m4", nargs="?", const="m4", metavar="PROGRAM", help="read the configuration through m4")
    add("-S", "--stopped", action="store_true", help="start no monitors until a client says `start`")
    add("-v", "--version", action="version", version=f"mon-1.3.6 (BPVS {__version__})")
    add(
        "--check",
        nargs="?",
        const="",
        metavar="FILE",
        help="tell what is in the configuration and what is wrong with it",
    )
    return parser


def _reader(read: Callable[[str], object]) -> Callable[[str], object]:
    """A reader of mon.cf's values, for argparse."""

    def argument(text: str) -> object:
        try:
            return read(text)
        except Wrong as wrong:
            raise argparse.ArgumentTypeError(str(wrong)) from None

    return argument


def _double_dashed(word: str) -> str:
    """Perl's Getopt::Long knows its long names behind a single dash too."""
    names = {name for _, name, _, _, _ in _SETTINGS} | {"configfile", "debug", "fork", "loadstate", "sleep", "stopped"}
    return f"-{word}" if word[:1] == "-" and word[1:].partition("=")[0] in names else word
