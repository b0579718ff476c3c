# SPDX-License-Identifier: GPL-2.0-or-later
"""A change that fails lets go of its locks, also in a process that lives on."""

from __future__ import annotations

import pytest

from bpvs.director import Director
from bpvs.director.rows import PLAN_AT
from bpvs.kernel import _abi, bpffs
from bpvs.model import Address, Protocol, ServiceKey, VirtualService
from tests.packets.rig import Rig, loaded

pytestmark = pytest.mark.root

KEY = ServiceKey.at(Protocol.TCP, Address.parse("10.0.0.180"), 80)
NO_SCHEDULER = (1 << 31).to_bytes(4, "little")


def is_free() -> bool:
    try:
        with bpffs.Lock(loaded().folder, wait=False):
            return True
    except BlockingIOError:
        return False


def test_while_its_block_runs_nobody_else_has_the_lock(rig: Rig) -> None:
    with rig.change():
        assert not is_free()
    assert is_free()


def test_a_block_that_raises(rig: Rig) -> None:
    change = Director().change()
    with pytest.raises(ValueError, match="stop"), change:
        raise ValueError("stop")
    assert is_free()


def test_a_table_that_cannot_be_read(rig: Rig) -> None:
    """Here a plan names a scheduler that nobody knows."""
    with rig.change() as table:
        table.clear()
        table.add_service(VirtualService(KEY, "rr"))
    instance = loaded()
    families = instance.services.rows(0, instance.settings.load(0, "service_high"), "family")
    (row,) = (row for row, (family,) in enumerate(families) if family)
    at = PLAN_AT + (instance.services.load(row, "current") & 1) * _abi.PLAN.size + _abi.PLAN.offset("scheduler")
    right = instance.services.bytes_at(row, at, 4)
    change = Director().change()
    instance.services.write(row, NO_SCHEDULER, at)
    try:
        with pytest.raises(KeyError):
            change.__enter__()
        assert is_free()
    finally:
        instance.services.write(row, right, at)
