# SPDX-License-Identifier: GPL-2.0-or-later
"""The bench's network: a sender's namespace and a director's, joined by two veth pairs.

    sender                              director
    generator -> test0 ---------------- test0   the director's program, in XDP or TC
                 sink  <---------------
    generator -> floor0 --------------- floor0  a program that only reflects
                 sink  <---------------

Clients and real servers are only addresses behind the sender's end: whatever is balanced goes out where it came in.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.ways import LOCALS, VIRTUAL, WAYS, Way
from bpvs.director import Director
from bpvs.kernel import _abi, bpf
from bpvs.kernel.instance import PROGRAM_TC, PROGRAM_XDP
from bpvs.kernel.libbpf import Libbpf
from bpvs.kernel.loader import OBJECTS
from bpvs.kernel.maps import PerCpuArray
from bpvs.lab.network import Network
from bpvs.model import Address, Family, Method, Protocol, RealServer, ServiceKey, Table, VirtualService
from bpvs.net import ethtool

XDP, TC = "xdp", "tc"
HOOKS = (XDP, TC)
SERVERS = 100
SENDER_MAC = bytes.fromhex("020000000001")
DIRECTOR_MAC = bytes.fromhex("020000000002")
FRAME_BYTES = 80  # room for one frame in the programs' maps

_HANDLE, _PRIORITY = 0x62656E63, 1
_ROW_0 = struct.pack("=I", 0)
_ETHTOOL_SGRO = 0x2C  # include/uapi/linux/ethtool.h


class Rig:
    """Namespaces, programs and a loaded director with a service of 100 real servers for each way and family.

    A context manager; leaving it removes everything. `connections` is the size of the director's table.
    """

    def __init__(self, hook: str, connections: int) -> None:
        self.hook = hook
        self.connections = connections
        self._network = Network()
        self._library = Libbpf()
        self._maps: dict[str, int] = {}
        self.programs: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._network.__enter__()
        try:
            self._build()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._close()

    def map(self, name: str) -> int:
        """The file descriptor of a map of the benchmark's own programs."""
        return self._maps[name]

    def arrived(self) -> int:
        """Frames of ours that the sinks have seen."""
        return PerCpuArray(self._maps["arrived"]).sum(0)[0]

    def counted(self) -> int:
        """Packets that the director has counted: of all real servers and both directions, and SYNs that it answered."""
        services = sum(len(way.families) for way in WAYS)
        _connections, in_packets, out_packets, *_bytes = map(
            sum, zip(*self.instance.traffic.sums(range(1 + services * SERVERS)), strict=True)
        )
        (answered,) = self.instance.verdicts.sum(_abi.ANSWER_COOKIE)
        return in_packets + out_packets + answered

    def dropped(self) -> int:
        """Packets that the director has dropped."""
        return sum(count for (count,) in self.instance.verdicts.sums(range(_abi.DROP_NO_SERVER, _abi.ANSWER_COOKIE)))

    def sample(self) -> bytes:
        """One of the frames that the sinks have seen."""
        return bpf.lookup(self._maps["sample"], _ROW_0, FRAME_BYTES) or b""

    def forget_sample(self) -> None:
        """Makes sure that the next sample is a new one."""
        bpf.update(self._maps["sample"], _ROW_0, bytes(FRAME_BYTES))

    def _build(self) -> None:
        self.sender, self.inside = self._network.host("sender"), self._network.host("director")
        for pair in ("test0", "floor0"):
            self._network.configure(
                self.sender,
                f"link add {pair} address {SENDER_MAC.hex(':')} type veth peer name {pair} "
                f"address {DIRECTOR_MAC.hex(':')} netns {self.inside.name}",
            )
        for host in (self.sender, self.inside):
            self._network.configure(host, "link set test0 up", "link set floor0 up")
            with host.inside():
                for pair in ("test0", "floor0"):
                    _gro_on(pair)
        for setting in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            self.inside.set_sysctl(setting, 1)
        self._network.configure(
            self.inside,
            "address add 10.77.0.1/24 dev test0",
            "address add fd77::1/64 dev test0 nodad",
            f"neighbour replace 10.77.0.2 lladdr {SENDER_MAC.hex(':')} dev test0 nud permanent",
            f"neighbour replace fd77::2 lladdr {SENDER_MAC.hex(':')} dev test0 nud permanent",
            "route add default via 10.77.0.2",
            "route add default via inet6 fd77::2",
        )
        self._load_own()
        self._load_director()
        self._attach()

    def _load_own(self) -> None:
        for name in ("bench_generator", "bench_floor"):
            maps, programs = self._library.load(os.path.join(OBJECTS, f"{name}.bpf.o"), {}, {})
            self._maps |= maps
            self.programs |= programs

    def _load_director(self) -> None:
        with self.inside.inside():
            self.director = Director()
            self.inside.is_director = True
            self.director.up(["test0"], "tc", self.connections)
            with self.director.change() as table:
                for way in WAYS:
                    for family in way.families:
                        _add(table, way, family)
            instance = self.director.instance()
            assert instance is not None
            self.instance = instance
            instance.settings.store(0, "siding_wait", 0)  # a cookie sent again would count as a frame of another burst
            for name in (PROGRAM_XDP, PROGRAM_TC):
                self.programs[name] = instance.open(name)

    def _attach(self) -> None:
        for host, programs in (
            (self.sender, {"test0": "sink", "floor0": "sink"}),
            (self.inside, {"test0": "director", "floor0": "reflect"}),
        ):
            with host.inside():
                for pair, program in programs.items():
                    self._attach_one(pair, self.programs[f"{program}_{self.hook}"], program == "director")

    def _attach_one(self, interface: str, program: int, is_director: bool) -> None:
        index = socket.if_nametoindex(interface)
        if self.hook == XDP:
            self._library.attach_xdp(index, program)
            if is_director:
                self.instance.stations.store(index, "carries_xdp", 1)
        elif not is_director:  # which has attached itself
            self._library.attach_tc(index, program, _HANDLE, _PRIORITY)

    def _close(self) -> None:
        for fd in (*self._maps.values(), *self.programs.values()):
            os.close(fd)
        self._maps.clear()
        self.programs.clear()
        self._network.close()


def _add(table: Table, way: Way, family: Family) -> None:
    key = ServiceKey.at(Protocol.TCP, VIRTUAL[family], way.port)
    table.add_service(VirtualService(key, "rr", synproxy=way.synproxy))
    if way.method is Method.FULLNAT:
        for local in LOCALS:
            table.add_local(key, local)
    for number in range(SERVERS):
        table.add_server(key, RealServer(server_address(family, number), way.port, way.method))


def server_address(family: Family, number: int) -> Address:
    """The address of a real server."""
    return Address.parse(f"10.77.1.{number + 1}" if family is Family.IPV4 else f"fd77:1::{number + 1:x}")


def objects_missing() -> list[Path]:
    """Compiled benchmark programs that are not there."""
    return [
        path for path in (Path(OBJECTS, f"bench_{name}.bpf.o") for name in ("generator", "floor")) if not path.exists()
    ]


def _gro_on(interface: str) -> None:
    """Generic receive offload: without it (or an XDP program) a veth does not take redirected frames."""
    ethtool.ask(interface, struct.pack("=II", _ETHTOOL_SGRO, 1))
