# SPDX-License-Identifier: GPL-2.0-or-later
"""The small office serves these tests."""

from __future__ import annotations

from tests.mon.small import desk

__all__ = ["desk"]
