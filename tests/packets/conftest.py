# SPDX-License-Identifier: GPL-2.0-or-later
"""One director for a whole test run: each test takes client ports of its own, so nothing has to be forgotten."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.packets.rig import Rig

CONNECTIONS = 1 << 15


@pytest.fixture(scope="session")
def _loaded() -> Iterator[Rig]:
    if os.geteuid() != 0:
        pytest.skip("needs root for BPF and network namespaces: run it with sudo")
    rig = Rig(CONNECTIONS)
    yield rig
    rig.close()


@pytest.fixture
def rig(_loaded: Rig) -> Iterator[Rig]:
    """The director's namespace entered, its table as the last test left it."""
    with _loaded.inside():
        yield _loaded
