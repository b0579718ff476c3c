# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration in force: the file, over it the command line, below both the defaults of mon(8)."""

from __future__ import annotations

import socket
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from bpvs.model.mon import Settings
from bpvs.mon.m4 import read_source
from bpvs.mon.places import Places, places
from bpvs.mon.protocol.listeners import PORT
from bpvs.text.mon.config import parse

if TYPE_CHECKING:
    from bpvs.model.mon import Config
    from bpvs.mon.command import CommandLine

_DEFAULTS = Settings(
    authtype=("getpwnam",),
    pamservice="passwd",
    maxprocs=0,
    histlength=100,
    historictime=0.0,
    randstart=0.0,
    cltimeout=30.0,
    dtlogging=False,
    dep_recur_limit=10,
    startupalerts_on_reset=False,
    syslog_facility="daemon",
    monitor_timeout=300.0,
    alert_timeout=60.0,
)


@dataclass(frozen=True, slots=True)
class Setup:
    """A configuration whose settings are complete, and the paths that they mean."""

    config: Config
    places: Places


def load(command: CommandLine) -> Setup:
    """Read the file; ConfigError."""
    source = read_source(str(command.config), command.m4 or "")
    config = parse(source.text, name=command.config.name)
    said = [f"{command.config.name}: {line}" for line in source.said.splitlines()]
    settings = in_force(config.settings, command.settings)
    found = places(settings, command.directory)
    known = replace(
        settings,
        basedir=str(found.basedir),
        cfbasedir=str(found.cfbasedir),
        statedir=str(found.statedir),
        logdir=str(found.logdir),
    )
    return Setup(replace(config, settings=known, notices=(*said, *config.notices)), found)


def in_force(read: Settings, told: Settings) -> Settings:
    """What the command line tells, else what the file says, else the default."""
    port = _default_port()
    values = {}
    for field in fields(Settings):
        candidates = (getattr(source, field.name) for source in (told, read, _DEFAULTS))
        values[field.name] = next((value for value in candidates if value is not None), None)
    return replace(
        Settings(**values),
        serverport=port if values["serverport"] is None else values["serverport"],
        trapport=port if values["trapport"] is None else values["trapport"],
    )


def _default_port() -> int:
    try:
        return socket.getservbyname("mon", "tcp")
    except OSError:
        return PORT
