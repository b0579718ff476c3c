# SPDX-License-Identifier: GPL-2.0-or-later
"""The Python API on a real instance: what a program that lives longer than a command meets."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpvs.director import Director
from bpvs.kernel import _abi, loader
from bpvs.kernel.instance import PROGRAM_TC, PROGRAM_XDP
from bpvs.lab.topology import Routed
from bpvs.model import (
    Address,
    DirectorError,
    InvalidServer,
    Method,
    NoRoom,
    NotBuilt,
    Protocol,
    RealServer,
    ServiceKey,
    Timeouts,
    VirtualService,
)

pytestmark = pytest.mark.root

SERVER = RealServer(Address.parse("10.0.1.11"), 8080, Method.NAT)


def service(number: int) -> VirtualService:
    return VirtualService(ServiceKey.at(Protocol.TCP, Address.parse("10.9.0.100"), number), "rr")


@pytest.fixture
def director(bare: Routed) -> Iterator[Director]:
    with bare.director.inside():
        yield Director()


def test_what_another_process_loads_again_is_seen(director: Director) -> None:
    """Both instances have the same name; the maps of the first are nobody's any more."""
    for number in (80, 81):
        with director.change() as table:
            table.add_service(service(number))
        assert [one.key.port for one in director.table().services()] == [number]
        assert Director().down()
        assert not len(director.table())


def test_an_exception_in_the_block_changes_nothing(director: Director) -> None:
    with director.change() as table:
        table.add_service(service(80))

    def stop() -> None:
        with director.change() as table:
            table.clear()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stop()
    assert director.table().has(service(80).key)


def test_what_is_not_built_is_refused_before_anything_changes(director: Director) -> None:
    with director.change() as table:
        key = ServiceKey.at(Protocol.SCTP, service(80).key.address or SERVER.address, 80)
        table.add_service(VirtualService(key, "rr"))
        with pytest.raises(NotBuilt, match="SCTP"):
            table.add_server(key, RealServer(SERVER.address, 80, Method.FULLNAT))
        assert not list(table.servers(key))


def test_another_size_of_the_connection_table_needs_a_new_instance(director: Director) -> None:
    director.up(connections=2048)
    director.up(connections=2048)
    with pytest.raises(DirectorError, match="2048 rows since it was loaded"):
        director.up(connections=4096)


def test_a_failure_to_attach_leaves_nothing_loaded(director: Director) -> None:
    with pytest.raises(DirectorError, match="nosuch0"):
        director.up(["nosuch0"])
    assert director.instance() is None
    assert not director.down()


@pytest.mark.parametrize("name", [PROGRAM_TC, PROGRAM_XDP])
def test_a_program_that_cannot_be_loaded_leaves_nothing(
    director: Director, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the two that are loaded side by side."""
    shutil.copytree(loader.OBJECTS, tmp_path, dirs_exist_ok=True)
    (tmp_path / f"{name}.bpf.o").write_bytes(b"no object")
    monkeypatch.setattr(loader, "OBJECTS", str(tmp_path))
    open_before = os.listdir("/proc/self/fd")
    with pytest.raises(DirectorError, match=rf"^cannot read {name}.bpf.o"):
        director.up()
    assert os.listdir("/proc/self/fd") == open_before
    assert director.instance() is None


def test_more_services_than_there_is_room_for(director: Director) -> None:
    """What fits stays, and the instance goes on."""
    with director.change() as table:
        for number in range(1, _abi.MAX_SERVICES):
            table.add_service(service(number))
        with pytest.raises(NoRoom, match="no room for another service: an instance holds 4095"):
            table.add_service(service(_abi.MAX_SERVICES))
    assert len(director.table()) == _abi.MAX_SERVICES - 1
    with director.change() as table:
        table.clear()
        table.add_service(service(80))
        table.add_server(service(80).key, SERVER)
    assert [one.key for one in director.table().services()] == [service(80).key]
    assert list(director.table().servers(service(80).key)) == [SERVER]


def test_rows_of_lists_are_found_again_when_all_were_used(director: Director) -> None:
    """Each edit writes a new list; after 65,536 places the old ones are taken, and the table stays as it was told."""
    servers = [RealServer(Address.parse(f"10.7.{n // 200}.{n % 200 + 1}"), 80, Method.NAT, n) for n in range(600)]
    with director.change() as table:
        table.add_service(service(80))
        for server in servers:
            table.add_server(service(80).key, server)
    edited = servers[7]
    for weight in range(_abi.MAX_SERVERS // len(servers) + 20):
        edited = RealServer(servers[7].address, 80, Method.NAT, weight)
        with director.change() as table:
            table.edit_server(service(80).key, edited)
    assert list(director.table().servers(service(80).key)) == [*reversed(servers[8:]), edited, *reversed(servers[:7])]


def test_a_table_of_other_servers_takes_the_place_of_a_full_one(director: Director) -> None:
    for network in (7, 8):
        with director.change() as table:
            table.clear()
            table.add_service(service(80))
            for n in range(_abi.MAX_DESTS * 2 // 3):
                address = Address.parse(f"10.{network}.{n // 200}.{n % 200 + 1}")
                table.add_server(service(80).key, RealServer(address, 80, Method.NAT))
    newest = next(iter(director.table().servers(service(80).key)))
    assert str(newest.address).startswith("10.8.")
    assert len(director.status()[service(80).key].servers) == _abi.MAX_DESTS * 2 // 3


def test_timeouts_set_before_anything_is_loaded_stay(director: Director) -> None:
    assert director.instance() is None
    director.set_timeouts(Timeouts(0, 60, 0))
    assert director.timeouts() == Timeouts(900, 60, 300)
    with director.change() as table:
        table.add_service(service(80))
        table.set_timeouts(Timeouts(1, 0, 0))
    assert Director().timeouts() == Timeouts(1, 60, 300)


def test_a_rehearsal_refuses_like_a_change_and_leaves_nothing(director: Director) -> None:
    with director.rehearse() as table:
        table.add_service(service(80))
        with pytest.raises(InvalidServer):
            table.add_server(service(80).key, RealServer(Address.parse("224.0.0.1"), 80, Method.NAT))
    assert director.instance() is None
    with director.change() as table:
        table.add_service(service(80))
    with director.rehearse() as table:
        table.delete_service(service(80).key)
    assert director.table().has(service(80).key)


def test_more_servers_than_there_is_room_for(director: Director) -> None:
    with director.rehearse() as table:
        table.add_service(service(80))
        for port in range(1, _abi.MAX_DESTS):
            table.add_server(service(80).key, RealServer(SERVER.address, port, Method.NAT))
        with pytest.raises(NoRoom, match="no room for another real server: an instance holds 16383"):
            table.add_server(service(80).key, RealServer(SERVER.address, _abi.MAX_DESTS, Method.NAT))
