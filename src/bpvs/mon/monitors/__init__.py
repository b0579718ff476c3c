# SPDX-License-Identifier: GPL-2.0-or-later
"""Built-in monitors: coroutines by mon's names (`http.monitor`), each host checked at the same time as the others."""

from __future__ import annotations
