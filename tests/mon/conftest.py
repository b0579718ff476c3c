# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.mon.running import Mon
from tests.mon.small import desk

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["desk"]


@pytest.fixture
def mon(tmp_path: Path) -> Iterator[Mon]:
    """A daemon that is not started yet, and is ended with the test."""
    home = tmp_path / "mon"
    home.mkdir()
    made = Mon(home)
    yield made
    made.close()
