# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages of the checked protocols as bytes: made and read by pure functions, sent and received elsewhere.

A message that breaks its protocol is raised as Sick: the host that sent it is not well.
"""

from __future__ import annotations
