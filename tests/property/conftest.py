# SPDX-License-Identifier: GPL-2.0-or-later
"""What the packet tests run on serves the properties of the data path too."""

from __future__ import annotations

from tests.packets.conftest import _loaded, rig

__all__ = ["_loaded", "rig"]
