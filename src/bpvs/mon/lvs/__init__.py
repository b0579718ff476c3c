# SPDX-License-Identifier: GPL-2.0-or-later
"""Taking servers out of the table and back in, and remembering what was taken."""

from __future__ import annotations
