# SPDX-License-Identifier: GPL-2.0-or-later
"""Where everything is: mon(8)'s directories and files as absolute paths, from settings and from what exists."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bpvs.text.mon.values import split_paths

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpvs.model.mon import Settings

_BASE, _CONFIG_BASE = "/usr/lib/mon", "/etc/mon"
_ALERTS, _MONITORS = "/usr/local/lib/mon/alert.d:alert.d", "/usr/local/lib/mon/mon.d:mon.d"
_STATES = (Path("/var/state/mon"), Path("/var/lib/mon"))
_LOGS = Path("/var/log/mon")
_PIDS = (Path("/run/mon"), Path("/run"), Path("/etc"))


@dataclass(frozen=True, slots=True)
class Places:
    """Absolute paths. Alerts and monitors are looked for in their directories from left to right."""

    basedir: Path
    cfbasedir: Path
    alertdirs: tuple[Path, ...]
    mondirs: tuple[Path, ...]
    statedir: Path
    logdir: Path
    authfile: Path
    userfile: Path
    pidfile: Path | None
    dtlogfile: Path
    historicfile: Path | None
    monerrfile: Path


def places(settings: Settings, directory: Path) -> Places:
    """Relative paths are below basedir (directories), cfbasedir (auth.cf, users) or logdir (logs), as in mon(8).

    directory: the current one, below which relative base directories are, and the pid file.
    """
    basedir = directory / (settings.basedir or _BASE)
    cfbasedir = directory / (settings.cfbasedir or _CONFIG_BASE)
    logdir = basedir / (settings.logdir or next(filter(Path.is_dir, (_LOGS, basedir / "log.d")), _LOGS))
    return Places(
        basedir=basedir,
        cfbasedir=cfbasedir,
        alertdirs=_path_list(settings.alertdir or _ALERTS, basedir),
        mondirs=_path_list(settings.mondir or _MONITORS, basedir),
        statedir=basedir / (settings.statedir or next(filter(Path.is_dir, _STATES), _STATES[-1])),
        logdir=logdir,
        authfile=cfbasedir / (settings.authfile or "auth.cf"),
        userfile=cfbasedir / (settings.userfile or "monusers.cf"),
        pidfile=_pidfile(settings.pidfile, directory),
        dtlogfile=logdir / (settings.dtlogfile or "downtime.log"),
        historicfile=logdir / settings.historicfile if settings.historicfile else None,
        monerrfile=directory / (settings.monerrfile or "/dev/null"),
    )


def missing_places(settings: Settings, found: Places) -> list[str]:
    """A sentence for each directory or user file that somebody named and that is not there; others are made."""
    named: list[tuple[str, Iterable[Path]]] = []
    if settings.alertdir:
        named.append(("alertdir", found.alertdirs))
    if settings.mondir:
        named.append(("mondir", found.mondirs))
    missing = [f"{name}: {path} is no directory" for name, paths in named for path in paths if not path.is_dir()]
    if settings.userfile and not found.userfile.is_file():
        missing.append(f"userfile: {found.userfile} is not there, and lets nobody in")
    return missing


def _path_list(text: str, base: Path) -> tuple[Path, ...]:
    return tuple(Path(path) for path in split_paths(text, str(base)))


def _pidfile(text: str | None, directory: Path) -> Path | None:
    """An empty name means none."""
    if text is not None:
        return directory / text if text else None
    return next(filter(Path.is_dir, _PIDS), _PIDS[-1]) / "mon.pid"
