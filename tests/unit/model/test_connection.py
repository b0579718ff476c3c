# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from bpvs.model import KEEP_TIMEOUTS, Timeouts


def test_timeouts_begin_with_those_of_ipvs() -> None:
    assert Timeouts() == Timeouts(tcp=900, tcp_fin=120, udp=300)


def test_zero_keeps_what_is() -> None:
    assert Timeouts(0, 5, 0).over(Timeouts(1, 2, 3)) == Timeouts(1, 5, 3)
    assert KEEP_TIMEOUTS.over(Timeouts()) == Timeouts()


@pytest.mark.parametrize("seconds", [-1, 2678401])
def test_a_timeout_has_bounds(seconds: int) -> None:
    with pytest.raises(ValueError, match="0 to 2678400 seconds"):
        Timeouts(udp=seconds)
