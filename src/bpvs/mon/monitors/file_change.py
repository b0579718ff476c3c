# SPDX-License-Identifier: GPL-2.0-or-later
"""file_change.monitor: fails once when a file has changed since the check before, and as long as one is missing.

`file_change.monitor [-b directory] [-d] FILE...` as mon has it, without RCS (-r). A name with `*` stands for all files
that it fits. What is known of the files is kept in mon's format, `EPOCH MD5 PATH` a line, in MON_STATEDIR.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bpvs.model import BpvsError
from bpvs.mon.monitors.aside import aside
from bpvs.mon.monitors.check import check_hosts
from bpvs.mon.monitors.options import Timed, flag, option, parse
from bpvs.mon.monitors.verdict import Sick
from bpvs.text.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpvs.mon.monitors.report import HostReport
    from bpvs.mon.monitors.verdict import Stopwatch


class Known(NamedTuple):
    """What was seen last: the checksum, and since when it is so (epoch)."""

    since: int
    checksum: str


@dataclass(frozen=True)
class Options(Timed):
    """file_change.monitor's."""

    base: str = option("-b --base", str, "")
    is_verbose: bool = flag("-d")


async def check(arguments: Sequence[str], hosts: Sequence[str], environment: Mapping[str, str]) -> list[HostReport]:
    """One report per file."""
    options, more = parse("file_change.monitor", Options, arguments)
    directory = environment.get("MON_STATEDIR", "")
    if not directory:
        raise UsageError("file_change.monitor: MON_STATEDIR is not set: it keeps there what it knows of the files")
    store = Path(directory) / (options.base.replace("/", "_") or "file_change")
    paths = await aside(f"{options.base}/", lambda: _paths(options.base, (*more, *hosts)))
    if not paths:
        raise UsageError("file_change.monitor: it wants files: right would be 'file_change.monitor -b /etc fstab ;;'")
    known = load(store)
    seen: dict[str, Known] = {}
    reports = await check_hosts(paths, options.timeout, partial(_probe, options, known, seen))
    if any(known.get(path) != one for path, one in seen.items()):
        save(store, known | seen)
    return reports


async def _probe(
    options: Options, known: Mapping[str, Known], seen: dict[str, Known], path: str, watch: Stopwatch
) -> str:
    watch.begin("read")
    checksum = await aside(path, lambda: _checksum(path))
    now, before = int(time.time()), known.get(path)
    note = f", MD5 {checksum}" if options.is_verbose else ""
    if before is None:
        seen[path] = Known(now, checksum)
        return f"seen for the first time{note}"
    if before.checksum != checksum:
        seen[path] = Known(now, checksum)
        raise Sick(f"changed; the change before is {now - before.since} s ago{note}")
    return f"unchanged for {now - before.since} s{note}"


def load(store: Path) -> dict[str, Known]:
    """What was known, by path; BpvsError. Lines that are none are left out."""
    found = {}
    try:
        lines = store.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BpvsError(f"file_change.monitor: {store} cannot be read: {error.strerror}") from None
    for line in lines:
        since, _, rest = line.partition(" ")
        checksum, _, path = rest.partition(" ")
        if since.isdigit() and path:
            found[path] = Known(int(since), checksum)
    return found


def save(store: Path, known: Mapping[str, Known]) -> None:
    """Writes it all or, BpvsError, leaves what was there."""
    lines = (f"{one.since} {one.checksum} {path}\n" for path, one in sorted(known.items()))
    fresh = store.with_name(f"{store.name}.new")
    try:
        fresh.write_text("".join(lines), encoding="utf-8", errors="surrogateescape")
        os.replace(fresh, store)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise BpvsError(f"file_change.monitor: {store} cannot be written: {error.strerror}") from None


def _paths(base: str, words: Sequence[str]) -> list[str]:
    """The files that are meant, each once."""
    root = Path(base or ".")
    found: list[str] = []
    for word in words:
        if "*" in word and not word.startswith("/"):
            found += sorted(str(path) for path in root.glob(word) if path.is_file())
        else:
            found.append(str(Path(base) / word.lstrip("/") if base else Path(word)))
    return list(dict.fromkeys(found))


def _checksum(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
    except FileNotFoundError:
        raise Sick("does not exist") from None
    except OSError as error:
        raise Sick(f"cannot be read: {error.strerror}") from None
