# SPDX-License-Identifier: GPL-2.0-or-later
"""A director alone in a network namespace, whose programs are run on single frames (BPF_PROG_TEST_RUN).

      client .2 ---- front 10.1.0.1 [director] back 10.2.0.1 ---- servers .11 to .17, gateway .18, nobody at .99
                              closed 10.4.0.1 |  narrow 10.3.0.1, MTU 1280 ---- server .11

The same in IPv6 (fd01::/64 to fd04::/64). No frame ever leaves: the far ends of the four links are idle, and a run only
tells what the program did to the frame and wants to happen with it.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto

from bpvs.director import Director, siding
from bpvs.director.interfaces import HANDLE, PRIORITY
from bpvs.kernel import _abi, bpf
from bpvs.kernel.instance import PROGRAM_EGRESS, Instance
from bpvs.kernel.libbpf import Libbpf
from bpvs.model import Address, RealServer, ServiceKey, Table, VirtualService
from bpvs.model.sysctls import SYSCTLS
from bpvs.net import namespace, sysctl
from bpvs.net.links import DETOUR_MAC

LINKS = ("front", "back", "narrow", "closed")
NARROW_MTU = 1280
SERVERS = range(11, 19)

_TEST_RUN = struct.Struct("=IIIIQQIIIIQQ")
_SK_BUFF = struct.Struct("=8xI24xII132xI12x")  # mark, ingress_ifindex, ifindex, gso_size
_SINCE_SHIFT, _SINCE_MASK = 22, 0x3FF  # hook_tc.h: the mark tells where a packet in the siding came from, and when
_XDP_MD = struct.Struct("=IIIIII")  # data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex
_ROOM = 4096  # a test frame is smaller than a page
_TRUST_S = 5


class Hook(Enum):
    """Where a program is attached; the values name the programs."""

    TC = "director_tc"
    XDP = "director_xdp"


class Action(Enum):
    """What a program wants to happen, whichever hook says it."""

    PASS = auto()
    DROP = auto()
    TX = auto()
    REDIRECT = auto()


ACTIONS = {
    Hook.TC: {-1: Action.PASS, 2: Action.DROP, 7: Action.REDIRECT},  # include/uapi/linux/pkt_cls.h
    Hook.XDP: {1: Action.DROP, 2: Action.PASS, 3: Action.TX, 4: Action.REDIRECT},  # enum xdp_action
}


@dataclass(frozen=True, slots=True)
class Run:
    """What a program did: `verdicts` are the counters that rose, by name."""

    action: Action
    frame: bytes
    verdicts: dict[str, int]

    @property
    def is_forwarded(self) -> bool:
        return self.action in (Action.TX, Action.REDIRECT)


def loaded() -> Instance:
    """The instance of the namespace entered."""
    instance = Director().instance()
    assert instance is not None
    return instance


def mac(link: int, station: int) -> str:
    """The station's address on a link, both counted as in the IP addresses; the director is station 1."""
    return f"02:00:00:00:{link:02d}:{station:02d}"


class Rig:
    """The namespace, the loaded programs and a supply of client ports that no connection uses yet."""

    def __init__(self, connections: int) -> None:
        self.namespace = f"bpvs-{os.getpid():x}-{secrets.token_hex(2)}-packets"
        self._programs: dict[str, int] = {}
        self._indexes: dict[str, int] = {}
        self._ports = 0
        self._trusted = time.monotonic()
        self._served: tuple[object, ...] = ()
        self._takes_back = False
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        try:
            self._build(connections)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Unload the programs and remove the namespace."""
        for fd in self._programs.values():
            os.close(fd)
        self._programs.clear()
        try:
            with self.inside():
                Director().down()
        finally:
            subprocess.run(["ip", "netns", "delete", self.namespace], check=True)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread is in the namespace: interfaces and routes of a run are those of the caller."""
        with namespace.inside(self.namespace):
            self._trust_stations()
            yield

    def _trust_stations(self) -> None:
        """Forget stations from time to time: after half a minute XDP would have the kernel see to them."""
        if self._programs and time.monotonic() > self._trusted + _TRUST_S:
            instance = loaded()
            instance.traffic.forget(range(1, instance.settings.load(0, "dest_high")))
            instance.runtime.write(0, bytes(_abi.RUNTIME.width("gateways")), _abi.RUNTIME.offset("gateways"))
            self._trusted = time.monotonic()

    def ip(self, *lines: str) -> None:
        """Run lines as `ip -batch` takes them, in the namespace."""
        subprocess.run(
            ["ip", "-n", self.namespace, "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True
        )

    @contextmanager
    def change(self) -> Iterator[Table]:
        """Director.change(); the next serve() begins anew."""
        self._served = ()
        with Director().change() as table:
            yield table
        self._shut_siding()  # a change mends it

    def serve(
        self, *servers: tuple[ServiceKey, RealServer], locals_: Sequence[tuple[ServiceKey, Address]] = ()
    ) -> None:
        """Make the table hold exactly these servers and local addresses, all services with scheduler rr."""
        served = (*servers, *locals_)
        if served == self._served:
            return
        with self.change() as table:
            table.clear()
            for key, server in servers:
                if not table.has(key):
                    table.add_service(VirtualService(key, "rr"))
                table.add_server(key, server)
            for key, address in locals_:
                table.add_local(key, address)
        self._served = served

    @contextmanager
    def sysctls(self, **values: int) -> Iterator[None]:
        """These settings, and their defaults afterwards."""
        Director().set_sysctls(values)
        try:
            yield
        finally:
            Director().set_sysctls({name: SYSCTLS[name].default for name in values})

    @contextmanager
    def open_siding(self) -> Iterator[None]:
        """Take back what waited in the siding; else it would come in the middle of others' counts, and ends there."""
        self._takes_back = True
        try:
            siding.ensure(loaded(), Libbpf(), HANDLE, PRIORITY)
            yield
        finally:
            self._takes_back = False
            self._shut_siding()

    def _shut_siding(self) -> None:
        if not self._takes_back:
            Libbpf().detach_tc(loaded().settings.load(0, "siding_done"), HANDLE, PRIORITY)

    def port(self) -> int:
        """A client port, 1024 or above, that was not given out before."""
        self._ports += 1
        return 1024 + self._ports % 64000

    def run(self, hook: Hook, frame: bytes, link: str = "front", gso_size: int = 0, mark: int = 0) -> Run:
        """Run the hook's program on a frame that comes in from a link; from `lo` also for clients on the director.

        `mark`: in TC, that of somebody before us.
        """
        return self._counted(lambda: self.run_uncounted(hook, frame, link, gso_size, mark))

    def run_held(self, frame: bytes, link: str, waited: int) -> Run:
        """Run TC's program on a frame from a link that was held, for so many ms of 2^20 ns, and leaves the siding."""
        instance = loaded()
        done = instance.settings.load(0, "siding_done")

        def leave() -> tuple[Action, bytes]:
            since = (time.monotonic_ns() >> 20) - waited
            mark = self._indexes[link] | (since & _SINCE_MASK) << _SINCE_SHIFT
            return self._run(Hook.TC, frame, _SK_BUFF.pack(mark, done, done, 0))

        return self._counted(leave)

    def run_finished(self, frame: bytes, link: str, is_rest: bool = False) -> Run:
        """Run TC's program on a frame from a link that leaves the siding at once; `is_rest`: the first is gone."""
        instance = loaded()
        wait = instance.settings.load(0, "siding_wait")
        mark = self._indexes[link] | is_rest << _SINCE_SHIFT
        return self._counted(lambda: self._run(Hook.TC, frame, _SK_BUFF.pack(mark, wait, wait, 0)))

    def run_departing(self, frame: bytes, link: str = "front") -> Run:
        """Run the program of TC egress on a frame that a socket of the director sends by a link, or by `lo`."""
        return self._counted(
            lambda: self._run(Hook.TC, frame, _SK_BUFF.pack(0, 0, self._indexes[link], 0), PROGRAM_EGRESS)
        )

    def run_detoured(self, frame: bytes, link: str, mark: int) -> Run:
        """Run TC's program on a frame from a link that the kernel has routed out of the detour by its mark."""
        instance = loaded()
        index = instance.settings.load(0, "detour")
        noted = (
            DETOUR_MAC + DETOUR_MAC[:2] + struct.pack("=I", self._indexes[link]) + frame[12:]
        )  # hook_tc.h, hook_note_from()
        return self._counted(lambda: self._run(Hook.TC, noted, _SK_BUFF.pack(mark, index, index, 0)))

    def run_uncounted(
        self, hook: Hook, frame: bytes, link: str = "front", gso_size: int = 0, mark: int = 0
    ) -> tuple[Action, bytes]:
        """As run(), without looking at the counters: for long series."""
        index = self._indexes[link]
        if hook is Hook.TC:
            context = _SK_BUFF.pack(mark, index, index, gso_size)
        else:
            context = _XDP_MD.pack(0, len(frame), 0, index, 0, 0) if link != "lo" else b""
        return self._run(hook, frame, context)

    def _run(self, hook: Hook, frame: bytes, context: bytes, program: str = "") -> tuple[Action, bytes]:
        code, out = _test_run(self._programs[program or hook.value], frame, context)
        return ACTIONS[hook][code], out

    @staticmethod
    def _counted(run: Callable[[], tuple[Action, bytes]]) -> Run:
        director = Director()
        before = director.verdicts()
        action, out = run()
        after = director.verdicts()
        return Run(action, out, {name: after[name] - before[name] for name in after if after[name] != before[name]})

    @staticmethod
    def shortest(hook: Hook, frame: bytes) -> int:
        """The kernel runs nothing shorter: an Ethernet header, in TC an IP header too (net/bpf/test_run.c)."""
        ethernet = 14
        if hook is Hook.XDP:
            return ethernet
        return ethernet + {b"\x08\x00": 20, b"\x86\xdd": 40}[frame[12:14]]

    def _build(self, connections: int) -> None:
        with self.inside():
            self._configure()
            self._indexes = {name: socket.if_nametoindex(name) for name in ("lo", *LINKS)}
            director = Director()
            instance = director.load(connections)
            # A program on the link gives it the receive queue that XDP runs ask for.
            director.up(LINKS, "xdp")
            self._shut_siding()
            self._programs = {name: instance.open(name) for name in (*(hook.value for hook in Hook), PROGRAM_EGRESS)}

    def _configure(self) -> None:
        for family in ("ipv4", "ipv6"):
            sysctl.write(f"net.{family}.conf.all.forwarding", 1)
        sysctl.write("net.ipv6.conf.default.accept_dad", 0)
        self.ip("link set lo up", *(line for number, name in enumerate(LINKS, 1) for line in _link_lines(number, name)))
        for name in LINKS:
            sysctl.write(f"net.ipv6.conf.{name}-far.disable_ipv6", 1)
        self.ip(*(f"link set {name}-far up" for name in LINKS), f"link set narrow mtu {NARROW_MTU}", *_ROUTES)
        for family in ("ipv4", "ipv6"):
            sysctl.write(f"net.{family}.conf.closed.forwarding", 0)


_ROUTES = (
    "route add 10.9.0.0/16 via 10.1.0.2",  # clients behind the client
    "route add 10.8.0.0/16 via 10.2.0.18",  # servers behind the gateway
    "route add 10.0.1.0/24 via 10.2.0.18",  # those of the recordings
    "route add blackhole 10.7.0.0/16",
    "route add fd09::/64 via fd01::2",
    "route add fd08::/64 via fd02::18",
    "route add blackhole fd07::/64",
)


def _link_lines(number: int, name: str) -> Iterator[str]:
    yield f"link add {name} address {mac(number, 1)} type veth peer name {name}-far"
    yield f"link set {name} up"
    yield f"address add 10.{number}.0.1/24 dev {name}"
    yield f"address add fd0{number}::1/64 dev {name} nodad"
    for station in (2, *SERVERS):
        for address in (f"10.{number}.0.{station}", f"fd0{number}::{station}"):
            yield f"neighbour add {address} lladdr {mac(number, station)} dev {name} nud permanent"


def _test_run(program: int, frame: bytes, context: bytes) -> tuple[int, bytes]:
    """The program's return value and the frame as it left it; OSError where the kernel refuses the run."""
    data = ctypes.create_string_buffer(frame, len(frame))
    out = ctypes.create_string_buffer(_ROOM)
    ctx = ctypes.create_string_buffer(context, len(context)) if context else None
    attributes = _TEST_RUN.pack(
        *(program, 0, len(frame), _ROOM, ctypes.addressof(data), ctypes.addressof(out)),
        *(1, 0, len(context), 0, ctypes.addressof(ctx) if ctx is not None else 0, 0),
    )
    result = _TEST_RUN.unpack(bpf.call(bpf._PROG_TEST_RUN, attributes))
    code = struct.unpack("=i", struct.pack("=I", result[1]))[0]
    return code, out.raw[: result[3]]
