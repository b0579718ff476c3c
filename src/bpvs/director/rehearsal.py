# SPDX-License-Identifier: GPL-2.0-or-later
"""A change that is tried and then forgotten."""

from __future__ import annotations

from bpvs.director.capability import Capability
from bpvs.director.rows import read_rows, table_of
from bpvs.kernel.instance import Instance
from bpvs.model import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bpvs.net.address import Judge


class Rehearsal:
    """What Director.rehearse() gives to `with`: a table with every refusal of a change, which no packet will see.

    It takes no lock: it waits for nobody, and what others publish meanwhile is not in it.
    """

    def __init__(self, instance: Instance | None, judge: Callable[[], Judge]) -> None:
        self._instance = instance
        self._capability = Capability(judge)

    def __enter__(self) -> Table:
        return table_of({} if self._instance is None else read_rows(self._instance), self._capability)

    def __exit__(self, *exception: object) -> None:
        self._capability.__exit__(*exception)
