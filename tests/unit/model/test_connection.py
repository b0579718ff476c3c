# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from bpvs.model import Timeouts


def test_timeouts_begin_with_those_of_ipvs() -> None:
    assert Timeouts() == Timeouts(tcp=900, tcp_fin=120, udp=300)
