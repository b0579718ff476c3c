# SPDX-License-Identifier: GPL-2.0-or-later
"""The siding of an instance: built when it is loaded, mended when somebody took it apart, removed with it.

It needs no note of its own: what a killed command leaves is found by the MAC addresses of its ends. Without it the
data path does without what it serves for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from bpvs.kernel.instance import PROGRAM_TC, Instance
from bpvs.kernel.libbpf import Libbpf
from bpvs.net import siding
from bpvs.net.links import Link
from bpvs.net.veth import PairError


def ensure(instance: Instance, library: Libbpf, handle: int, priority: int) -> None:
    """Build it or set it right, attach to both ends, and only then show it to the data path.

    `handle`, `priority`: of the TC filter. Where this kernel lacks something, the settings stay 0.
    """
    try:
        built = siding.build()
    except PairError:
        _show(instance, 0, 0)
        return
    program = instance.open(PROGRAM_TC)
    try:
        library.attach_tc(built.done, program, handle, priority)
        library.attach_tc(built.wait, program, handle, priority)
    finally:
        os.close(program)
    _show(instance, built.done, built.wait if built.has_queue else 0)


def stands(instance: Instance, all_links: Iterable[Link]) -> bool:
    """Whether the whole of it is there, as the data path was told."""
    settings = instance.settings
    told = siding.Siding(settings.load(0, "siding_done"), settings.load(0, "siding_wait"), has_queue=True)
    return siding.find(all_links) == told


def remove(instance: Instance) -> None:
    """Take it from the data path, then from the namespace."""
    _show(instance, 0, 0)
    siding.remove()


def _show(instance: Instance, done: int, wait: int) -> None:
    instance.settings.store(0, "siding_done", done)
    instance.settings.store(0, "siding_wait", wait)
