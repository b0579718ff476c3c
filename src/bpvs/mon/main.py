# SPDX-License-Identifier: GPL-2.0-or-later
"""The command `mon`: start the monitor daemon, or tell what is in its configuration."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bpvs.model import BpvsError
from bpvs.mon.background import go_into_background
from bpvs.mon.command import parse_command
from bpvs.mon.configuration import load
from bpvs.mon.daemon import Daemon
from bpvs.mon.descriptors import keep_own, raise_limit
from bpvs.mon.journal import Journal, choose_sink
from bpvs.mon.lookup import Lookup
from bpvs.mon.pidfile import AlreadyRunning, PidFile
from bpvs.mon.places import missing_places
from bpvs.mon.protocol.listeners import CannotListen, listening_sockets
from bpvs.mon.readiness import Readiness
from bpvs.mon.rehearsal import wrong_words
from bpvs.text.mon.errors import ConfigError
from bpvs.text.mon.report import report

if TYPE_CHECKING:
    from bpvs.mon.command import CommandLine
    from bpvs.mon.configuration import Setup

CANNOT_START, BAD_CONFIGURATION = 1, 255
WRONG = 1  # is what --check has found
# Thousands of checks at once leave hardly any cycles behind, but each collection looks at all of them.
_COLLECT_AFTER = 20_000, 20, 20


def main() -> int:
    """Runs until the daemon ends, or with -f until it is ready."""
    command = parse_command(sys.argv[1:], Path.cwd())
    try:
        setup = load(command)
    except ConfigError as error:
        return _complain(error, WRONG if command.is_check else BAD_CONFIGURATION)
    if command.is_check:
        return _check(setup)
    try:
        return _start(command, setup)
    except (CannotListen, AlreadyRunning) as error:
        return _complain(error, CANNOT_START)


def _check(setup: Setup) -> int:
    scripts = Lookup(setup.places)
    missing = [*missing_places(setup.config.settings, setup.places), *scripts.missing(setup.config)]
    sys.stdout.write(report(setup.config))
    sys.stdout.writelines(f"missing: {sentence}\n" for sentence in missing)
    wrong = wrong_words(setup.config, scripts)
    sys.stdout.writelines(f"wrong: {sentence}\n" for sentence in wrong)
    return WRONG if wrong else 0


def _start(command: CommandLine, setup: Setup) -> int:
    keep_own()
    settings = setup.config.settings
    tcp = listening_sockets(settings.serverbind, settings.serverport or 0, socket.SOCK_STREAM)
    udp = listening_sockets(settings.trapbind, settings.trapport or 0, socket.SOCK_DGRAM)
    pid_file = PidFile(setup.places.pidfile) if setup.places.pidfile else None
    trouble = _take(pid_file)
    ready = go_into_background(setup.places.monerrfile) if command.is_daemon else _is_ready
    os.chdir("/")
    sink = choose_sink(settings.syslog_facility or "", is_daemon=command.is_daemon, environment=os.environ)
    log = Journal(sink, is_debug=command.is_debug)
    if trouble:
        log("warning", trouble)
    if pid_file:
        pid_file.write()
    try:
        daemon = Daemon(command, setup, log, Readiness(os.environ), room=raise_limit())
        gc.collect()
        gc.freeze()  # what a configuration is made of stays, and need not be looked through again and again
        gc.set_threshold(*_COLLECT_AFTER)
        asyncio.run(daemon.run(tcp, udp, ready))
    finally:
        if pid_file:
            pid_file.release()
        log.close()
    return 0


def _take(pid_file: PidFile | None) -> str:
    """What keeps us from having a pid file, if that is no other daemon: monitoring matters more."""
    try:
        if pid_file:
            pid_file.take()
    except OSError as error:
        return f"{error.filename}: there will be no pid file: {error.strerror}"
    return ""


def _is_ready() -> None:
    """In the foreground nobody waits."""


def _complain(error: BpvsError, code: int) -> int:
    sys.stderr.write(f"mon: {error}\n")
    return code
