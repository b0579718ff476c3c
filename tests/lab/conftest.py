# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks for the lab tests: every test builds its own and removes it, so that tests can run side by side."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from bpvs.lab.topology import Routed, Tutorial, routed, tutorial


@pytest.fixture(scope="session", autouse=True)
def _terminated_is_interrupted() -> Iterator[None]:
    """A test run that is told to end removes its namespaces, as with Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def lan() -> Iterator[Tutorial]:
    with tutorial() as network:
        network.serve()
        yield network


@pytest.fixture
def bare() -> Iterator[Routed]:
    """The routed network without web servers."""
    with routed() as network:
        yield network


@pytest.fixture
def net(bare: Routed) -> Routed:
    bare.serve()
    return bare
