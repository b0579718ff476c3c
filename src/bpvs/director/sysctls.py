# SPDX-License-Identifier: GPL-2.0-or-later
"""IPVS's settings as they lie in the maps."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from bpvs.kernel import _abi
from bpvs.kernel.instance import Instance
from bpvs.model.sysctls import SYSCTLS

_NUMBER = struct.Struct("=I")
_WITH_MAPS = frozenset(("nat_icmp_send",))
_AT = _abi.SETTINGS.offset("vs")


def read_sysctls(instance: Instance) -> dict[str, int]:
    """Every setting that can change, by name."""
    content = instance.settings.bytes_at(0, _AT, _abi.VS.size)
    return {name: _NUMBER.unpack_from(content, _abi.VS.offset(name))[0] for name in SYSCTLS}


def write_sysctls(instance: Instance, values: Mapping[str, int]) -> None:
    """Change settings; packets from now on find them. Some want maps to be filled."""
    needs_maps = not _WITH_MAPS.isdisjoint(values)
    if needs_maps:
        instance.settings.store(0, "unsettled", 1)
    for name, value in values.items():
        instance.settings.write(0, _NUMBER.pack(value), _AT + _abi.VS.offset(name))
    if needs_maps:
        from bpvs.director.publish import settle

        settle(instance)
