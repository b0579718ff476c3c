# SPDX-License-Identifier: GPL-2.0-or-later
"""Built-in alerts: coroutines by mon's names (`lvs.alert`), called with the same arguments as a script."""

from __future__ import annotations
