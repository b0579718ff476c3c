# SPDX-License-Identifier: GPL-2.0-or-later
"""What the engine refuses; nothing has changed then."""

from __future__ import annotations

from bpvs.model.errors import BpvsError


class UnknownName(BpvsError):
    """There is no such group, service or period in the configuration."""

    text = "no such name"


class NotFailing(BpvsError):
    """Only a failing service can be acknowledged."""

    text = "service is in a non-failure state"
