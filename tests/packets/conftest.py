# SPDX-License-Identifier: GPL-2.0-or-later
"""One director for a whole test run: each test takes client ports of its own, so nothing has to be forgotten."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from bpvs.kernel import _abi
from tests.packets.rig import Rig

CONNECTIONS = 1 << 15


@pytest.fixture(scope="session")
def _loaded() -> Iterator[Rig]:
    if os.geteuid() != 0:
        pytest.skip("needs root for BPF and network namespaces: run it with sudo")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # a run that is told to end cleans up too
    rig = Rig(CONNECTIONS)
    yield rig
    rig.close()
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def small() -> Iterator[Rig]:
    """A director with the smallest table."""
    rig = Rig(_abi.MIN_CONNS)
    yield rig
    rig.close()


@pytest.fixture
def rig(_loaded: Rig) -> Iterator[Rig]:
    """The director's namespace entered, its table as the last test left it."""
    with _loaded.inside():
        yield _loaded


@pytest.fixture
def repeats(rig: Rig) -> Iterator[None]:
    """What the director keeps is sent again, until the test ends."""
    with rig.open_siding():
        yield
