# SPDX-License-Identifier: GPL-2.0-or-later
"""Loading an instance, whole or not at all."""

from __future__ import annotations

import os
import struct
from threading import Thread

from bpvs.kernel import _abi, bpf, bpffs
from bpvs.kernel.instance import PROGRAM_DETOUR, PROGRAM_EGRESS, PROGRAM_TC, PROGRAM_XDP, Instance, folder_of
from bpvs.kernel.libbpf import Descriptors, Libbpf
from bpvs.kernel.maps import ArrayMap
from bpvs.model import DirectorError, Timeouts
from bpvs.model.sysctls import default_sysctls

OBJECTS = os.path.join(os.path.dirname(__file__), "objects")
_HOUSEKEEPER = "housekeeper"
_CLOCK_STARTER = "start_clocks"
_PACKET = bytes(64)  # the clock starter looks at no packet, but the kernel wants to run it on one

# IPVS keeps a connection that no packet confirmed for 3 s.
_TIMEOUT_NEW = 3
# net/netfilter/ipvs/ip_vs_proto_tcp.c, tcp_timeouts, seconds; the three that --set changes come from Timeouts.
_TCP_TIMEOUTS = {
    _abi.STATE_NONE: 2,
    _abi.STATE_SYN_SENT: 120,
    _abi.STATE_SYN_RECV: 60,
    _abi.STATE_TIME_WAIT: 120,
    _abi.STATE_CLOSE: 10,
    _abi.STATE_CLOSE_WAIT: 60,
    _abi.STATE_LAST_ACK: 30,
    _abi.STATE_LISTEN: 120,
    _abi.STATE_SYNACK: 120,
}
# net/netfilter/ipvs/ip_vs_proto_sctp.c, sctp_timeouts, seconds; --set changes none.
_SCTP_TIMEOUTS = dict.fromkeys(range(_abi.STATE_SCTP_INIT, _abi.STATE_SCTP_CLOSED + 1), 61) | {
    _abi.STATE_SCTP_NONE: 2,
    _abi.STATE_SCTP_INIT1: 4,
    _abi.STATE_SCTP_ESTABLISHED: 900,
    _abi.STATE_SCTP_REJECTED: 4,
}

MEMORY_PER_CONNECTION = 356  # bytes: a row of conns, two elements and two buckets of flows, one of free_slots
_DEFAULT_CONNECTIONS = 1 << 18
_MEMORY_SHARE = 64  # by default the table takes at most this fraction of the memory


def default_connections() -> int:
    """How many connections an instance holds unless told: 262,144, or fewer on a machine with less than 5 GiB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(_abi.MIN_CONNS, min(_DEFAULT_CONNECTIONS, memory // _MEMORY_SHARE // MEMORY_PER_CONNECTION))


def load(cookie: int, connections: int) -> Instance:
    """Load the data plane of the calling thread's network namespace (whose cookie is given) and start its clocks.

    The caller holds the lock on bpffs.root(). Raises DirectorError; then nothing is left behind.
    """
    folder = folder_of(cookie)
    bpffs.forget_unfinished(folder)
    os.mkdir(folder + bpffs.UNFINISHED, 0o700)
    try:
        _fill(folder + bpffs.UNFINISHED, connections)
        os.rename(folder + bpffs.UNFINISHED, folder)
    except BaseException:
        bpffs.forget_unfinished(folder)
        raise
    return Instance(folder)


def _fill(folder: str, connections: int) -> None:
    sizes = {"conns": connections, "flows": 2 * connections, "free_slots": connections}
    library = Libbpf()
    maps, programs = library.load(_object(_HOUSEKEEPER), {}, sizes)
    try:
        shared = {name: fd for name, fd in maps.items() if "." not in name}
        _load_programs(library, shared, programs)
        _prepare(ArrayMap(maps["settings"], _abi.SETTINGS), connections)
        secrets = os.urandom(_abi.RUNTIME.width("secret"))
        ArrayMap(maps["runtime"], _abi.RUNTIME).write(0, secrets, _abi.RUNTIME.offset("secret"))
        bpf.update(maps["alive"], struct.pack("=I", 0), struct.pack("=I", _abi.LOOPBACK_IFINDEX))
        for name, fd in shared.items():
            bpf.pin(fd, os.path.join(folder, name))
        for name in (PROGRAM_TC, PROGRAM_EGRESS, PROGRAM_DETOUR, PROGRAM_XDP):
            bpf.pin(programs[name], os.path.join(folder, name))
        if bpf.run(programs[_CLOCK_STARTER], _PACKET):
            raise DirectorError("the kernel refuses to start the timers that expire connections")
    except OSError as error:
        raise DirectorError(f"loading the data plane failed: {error.strerror}") from error
    finally:
        _close(maps)
        _close(programs)


def _load_programs(library: Libbpf, shared: Descriptors, programs: Descriptors) -> None:
    """Add the director's programs to `programs`; those of XDP in a thread, for the kernel takes its time to verify."""
    failures: list[DirectorError | OSError] = []

    def load(name: str) -> None:
        try:
            own, loaded = library.load(_object(name), shared, {})
        except (DirectorError, OSError) as failure:
            failures.append(failure)
        else:
            _close(own)
            programs.update(loaded)

    beside = Thread(target=load, args=(PROGRAM_XDP,))
    beside.start()
    try:
        load(PROGRAM_TC)
    finally:
        beside.join()
    if failures:
        raise failures[0]


def _object(name: str) -> str:
    path = os.path.join(OBJECTS, f"{name}.bpf.o")
    if not os.path.exists(path):
        raise DirectorError(f"the compiled program {name}.bpf.o is missing: `make setup` builds it in a checkout")
    return path


def _prepare(settings: ArrayMap, connections: int) -> None:
    timeouts = Timeouts()
    by_state = {
        **_TCP_TIMEOUTS,
        **_SCTP_TIMEOUTS,
        _abi.STATE_ESTABLISHED: timeouts.tcp,
        _abi.STATE_FIN_WAIT: timeouts.tcp_fin,
        _abi.STATE_UDP: timeouts.udp,
        _abi.STATE_NEW: _TIMEOUT_NEW,
    }
    seconds = struct.pack(f"={_abi.STATE_COUNT}I", *(by_state[state] for state in range(_abi.STATE_COUNT)))
    sysctls = _abi.VS.pack(**default_sysctls())
    content = _abi.SETTINGS.pack(
        abi=_abi.ABI_VERSION, dest_high=1, service_high=1, timeout_s=seconds, conn_rows=connections, vs=sysctls
    )
    settings.write(0, content)


def _close(descriptors: dict[str, int]) -> None:
    for fd in descriptors.values():
        os.close(fd)
