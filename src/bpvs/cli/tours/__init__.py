# SPDX-License-Identifier: GPL-2.0-or-later
"""What `bpvs demo --type` shows: one module with a TOUR for each way of forwarding."""

from __future__ import annotations

from importlib import import_module

from bpvs.cli.tours.step import Tour

TYPES = ("nat", "dr", "tun", "fullnat", "synproxy")


def tour(kind: str) -> Tour:
    """The tour of one of TYPES."""
    found = import_module(f"bpvs.cli.tours.{kind}").TOUR
    if not isinstance(found, Tour):
        raise TypeError(f"bpvs.cli.tours.{kind}.TOUR is no tour")
    return found
