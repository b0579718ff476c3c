# SPDX-License-Identifier: GPL-2.0-or-later
"""Bursts of frames through a rig, timed and counted (BPF_PROG_TEST_RUN, linux/Documentation/bpf/bpf_prog_run.rst)."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.rig import FRAME_BYTES, XDP, Rig
from bpvs.kernel import bpf
from bpvs.model import Family

_PROG_TEST_RUN = 10
_LIVE_FRAMES = 1 << 1
# union bpf_attr, `test`: prog_fd retval data_size_in data_size_out data_in data_out repeat duration ctx_size_in
# ctx_size_out ctx_in ctx_out flags cpu batch_size
_TEST = struct.Struct("=IIIIQQIIIIQQIII4x")
_DURATION_AT = 36
_JOB = struct.Struct("=IIIII")
_XDP_CONTEXT = struct.Struct("=IIIIII")
_SKB_CONTEXT_BYTES = 192
_SKB_INGRESS_IFINDEX_AT = 36
_SKB_IFINDEX_AT = 40
_ARRIVAL_SECONDS = 1.0
_ROW_0 = struct.pack("=I", 0)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Frames to send in turn, 2^n of them; `new_flows`: each gets the next client address and port."""

    name: str
    family: Family
    frames: tuple[bytes, ...]
    new_flows: bool = False


@dataclass(frozen=True, slots=True)
class Burst:
    """What became of frames that were sent; `counted` by the director, `ns` for each frame, whole numbers only."""

    sent: int
    arrived: int
    counted: int
    ns: int


class Sender:
    """Sends traffic through a rig and times it."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._next: dict[str, int] = {}
        self._loaded: Traffic | None = None

    def send(self, traffic: Traffic, pair: str, packets: int) -> Burst:
        """Send live frames into the rig's pair "test0" or "floor0", and wait until they came back.

        The time is the kernel's: it leaves out setting up and taking down the run, some 20 ms.
        """
        rig = self._rig
        self._prepare(traffic, pair)
        rig.forget_sample()
        arrived, counted = rig.arrived(), rig.counted()
        with rig.sender.inside(), undisturbed():
            ns = _run(rig.programs["generate"], traffic.frames[0], packets, b"", _LIVE_FRAMES)
        deadline = time.monotonic() + _ARRIVAL_SECONDS
        while rig.arrived() - arrived < packets and time.monotonic() < deadline:
            time.sleep(0.001)
        self._remember(traffic)
        return Burst(packets, rig.arrived() - arrived, rig.counted() - counted, ns)

    def replay(self, traffic: Traffic, program: str, packets: int) -> int:
        """Run a program on the frames, without a network; ns for each."""
        rig = self._rig
        self._prepare(traffic, "test0")
        target = "target_xdp" if rig.hook == XDP else "target_tc"
        bpf.update(rig.map(target), _ROW_0, struct.pack("=I", rig.programs[program]))
        with rig.inside.inside(), undisturbed():
            context = self._context(len(traffic.frames[0]))
            ns = _run(rig.programs[f"replay_{rig.hook}"], traffic.frames[0], packets, context, 0)
        self._remember(traffic)
        return ns

    def _prepare(self, traffic: Traffic, pair: str) -> None:
        frames = self._rig.map("frames")
        if self._loaded is not traffic:
            for number, content in enumerate(traffic.frames):
                bpf.update(frames, struct.pack("=I", number), content.ljust(FRAME_BYTES, b"\0"))
            self._loaded = traffic
        with self._rig.sender.inside():
            index = socket.if_nametoindex(pair)
        is_ipv6 = traffic.family is Family.IPV6
        job = _JOB.pack(index, len(traffic.frames) - 1, is_ipv6, traffic.new_flows, self._next.get(traffic.name, 0))
        bpf.update(self._rig.map("job"), _ROW_0, job)

    def _remember(self, traffic: Traffic) -> None:
        if traffic.new_flows:
            job = bpf.lookup(self._rig.map("job"), _ROW_0, _JOB.size) or bytes(_JOB.size)
            self._next[traffic.name] = _JOB.unpack(job)[4]

    def _context(self, size: int) -> bytes:
        index = socket.if_nametoindex("test0")
        if self._rig.hook == XDP:
            return _XDP_CONTEXT.pack(0, size, 0, index, 0, 0)
        context = bytearray(_SKB_CONTEXT_BYTES)
        struct.pack_into("=II", context, _SKB_INGRESS_IFINDEX_AT, index, index)
        return bytes(context)


@contextmanager
def undisturbed() -> Iterator[None]:
    """The calling thread has one CPU, and nobody else takes it away, for a block that must be short."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cpus)})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, cpus)


def _run(program: int, packet: bytes, repeat: int, context: bytes, flags: int) -> int:
    """The average duration in ns that the kernel tells."""
    data = (ctypes.c_char * len(packet)).from_buffer_copy(packet)
    ctx = (ctypes.c_char * max(1, len(context))).from_buffer_copy(context or b"\0")
    attributes = _TEST.pack(
        *(program, 0, len(packet), 0, ctypes.addressof(data), 0, repeat, 0, len(context), 0),
        *(ctypes.addressof(ctx) if context else 0, 0, flags, 0, 0),
    )
    return int(struct.unpack_from("=I", bpf.call(_PROG_TEST_RUN, attributes), _DURATION_AT)[0])
