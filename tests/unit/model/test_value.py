# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys

import pytest

from bpvs.model import Address, RealServer, ServiceStatus
from bpvs.model.value import dataclass

SERVER = RealServer(Address.parse("192.0.2.7"), 80, weight=3)


def test_values_are_frozen() -> None:
    with pytest.raises(AttributeError, match=r"RealServer\.weight is read-only"):
        SERVER.weight = 4  # type: ignore[misc]
    with pytest.raises(AttributeError, match="read-only"):
        del SERVER.weight
    assert SERVER.weight == 3
    assert not hasattr(SERVER, "__dict__")


def test_equal_values_are_equal_and_hash_alike() -> None:
    twin = RealServer(Address.parse("192.0.2.7"), 80, weight=3)
    assert (twin, hash(twin)) == (SERVER, hash(SERVER))
    assert dataclasses.replace(SERVER, weight=4) != SERVER
    assert SERVER != ("192.0.2.7", 80)


def test_the_standard_module_works_on_values() -> None:
    assert [field.name for field in dataclasses.fields(SERVER)][:3] == ["address", "port", "method"]
    assert dataclasses.is_dataclass(RealServer)
    assert dataclasses.replace(ServiceStatus()).servers == {}


def test_values_copy_and_pickle() -> None:
    assert copy.deepcopy(SERVER) == SERVER
    assert pickle.loads(pickle.dumps(SERVER)) == SERVER  # noqa: S301 - made on the same line


def test_repr_shows_every_field() -> None:
    assert repr(SERVER.tunnel) == "Tunnel(type=<TunnelType.IPIP: 0>, port=0, checksum=<TunnelChecksum.NONE: 0>)"


def test_only_frozen_classes_with_slots() -> None:
    with pytest.raises(ValueError, match="frozen classes with slots"):
        dataclass(frozen=False, slots=True)


def test_the_command_imports_nothing_heavy() -> None:
    heavy = "json dataclasses inspect typing re asyncio argparse socket ipaddress pathlib subprocess contextlib"
    code = f"import sys, bpvs.ipvsadm, bpvs.ipvsadm.show; print(sorted(set('{heavy}'.split()) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
