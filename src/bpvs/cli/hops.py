# SPDX-License-Identifier: GPL-2.0-or-later
"""Captured packets as a table: who sent which headers to whom, machine by machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bpvs.cli.style import Style
from bpvs.lab.capture import Sighting
from bpvs.lab.headers import Packet

Row = tuple[str, ...]
_HEAD: Row = ("seen at", "", "frame", "packet", "", "TTL")


def chosen(sightings: Iterable[Sighting], address: str, flags: Iterable[str]) -> list[Sighting]:
    """Those of a TCP connection with one of `flags`, each flag once a place; `address` is an end of the first one."""
    wanted = set(flags)
    seen: set[tuple[str, str]] = set()
    found: list[Sighting] = []
    for sighting in sightings:
        packet = sighting.frame.packet.innermost
        key = sighting.place, packet.carries
        if packet.carries not in wanted or key in seen:
            continue
        if not found and address not in (packet.source, packet.destination):
            continue
        seen.add(key)
        found.append(sighting)
    return found


def table(sightings: Iterable[Sighting], names: Mapping[bytes, str], style: Style) -> str:
    """One row for each sighting, below it what is in its tunnel and whom its TOA tells.

    What differs from the row above stands out.

    `names`: the machine of each MAC address.
    """
    rows = [row for sighting in sightings for row in _rows(sighting, names, "→" if style.unicode else "->", style)]
    widths = [max(len(row[column]) for row in (_HEAD, *rows)) for column in range(len(_HEAD))]
    lines = [style.paint(_aligned(_HEAD, widths), "dim")]
    for before, row in zip((None, *rows), rows, strict=False):
        lines.append(_aligned(row, widths, before, style))
    return "".join(f" {line.rstrip()}\n" for line in lines)


def _rows(sighting: Sighting, names: Mapping[bytes, str], arrow: str, style: Style) -> list[Row]:
    frame = sighting.frame
    who = [f"{names.get(mac, '?')} {mac[-2:].hex(':')}" for mac in (frame.source, frame.destination)]
    name, way = sighting.place.split()
    rows = [(name, way, f" {arrow} ".join(who), *_words(frame.packet, arrow))]
    below = "└" if style.unicode else "+"
    inner = frame.packet.inner
    while inner:
        ends, carries, ttl = _words(inner, arrow)
        rows.append(("", "", "", f"{below} {ends}", carries, ttl))
        inner = inner.inner
    if frame.packet.innermost.toa:
        rows.append(("", "", "", f"{below} TOA {frame.packet.innermost.toa}", "", ""))
    return rows


def _words(packet: Packet, arrow: str) -> Row:
    ends = [_end(packet.source, packet.sport), _end(packet.destination, packet.dport)]
    return f" {arrow} ".join(ends), packet.carries, str(packet.ttl)


def _end(address: str, port: int) -> str:
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _aligned(row: Row, widths: list[int], before: Row | None = None, style: Style | None = None) -> str:
    cells = []
    for column, (text, width) in enumerate(zip(row, widths, strict=True)):
        cell = f"{text:{width}}"
        if before and style and column > 1 and row[0] and text != before[column]:
            cell = style.paint(cell, "yellow")
        cells.append(cell)
    return "  ".join(cells)
