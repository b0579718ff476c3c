# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon knows of its services, for `bpvs health`: told at a socket, shown as a table, explained."""

from __future__ import annotations
