# SPDX-License-Identifier: GPL-2.0-or-later
"""The bpf(2) calls that commands make: pins, map elements, information (include/uapi/linux/bpf.h)."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence

_SYSCALL_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "loongarch64": 280, "s390x": 351, "ppc64le": 361}

_MAP_LOOKUP_ELEM, _MAP_UPDATE_ELEM, _MAP_DELETE_ELEM, _MAP_GET_NEXT_KEY = 1, 2, 3, 4
_PROG_LOAD = 5
_OBJ_PIN, _OBJ_GET, _PROG_TEST_RUN, _OBJ_GET_INFO_BY_FD = 6, 7, 10, 15
_MAP_LOOKUP_BATCH, _MAP_UPDATE_BATCH, _LINK_CREATE = 24, 26, 28

BPF_ANY = 0
BPF_NOEXIST = 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_NUMBER = _SYSCALL_NUMBERS.get(os.uname().machine, 280)

_ELEMENT = struct.Struct("=IxxxxQQQ")
_LOAD = struct.Struct("=IIQQ")
_PIN = struct.Struct("=QIIi")
_BATCH = struct.Struct("=QQQQIIQQ")


def call(command: int, attributes: bytes | bytearray) -> bytearray:
    """Make one bpf(2) call; the attributes as the kernel left them. Raises OSError.

    `attributes` is union bpf_attr up to the last field used.
    """
    buffer = (ctypes.c_char * len(attributes)).from_buffer_copy(attributes)
    result = _libc.syscall(_NUMBER, command, ctypes.byref(buffer), len(attributes))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    out = bytearray(buffer.raw)
    _returned[0] = result
    return out


_returned = [0]


def _address(buffer: ctypes.Array[ctypes.c_char]) -> int:
    return ctypes.addressof(buffer)


def _buffer(content: bytes) -> ctypes.Array[ctypes.c_char]:
    return (ctypes.c_char * len(content)).from_buffer_copy(content)


def load_program(kind: int, instructions: bytes) -> int:
    """Load a few instructions (struct bpf_insn) as a program of an enum bpf_prog_type; its file descriptor. OSError."""
    code, licence = _buffer(instructions), _buffer(b"GPL\0")
    call(_PROG_LOAD, _LOAD.pack(kind, len(instructions) // 8, _address(code), _address(licence)))
    return _returned[0]


def pin(fd: int, path: str) -> None:
    """Pin a map or program at a path in bpffs; OSError (EEXIST if something is there)."""
    name = _buffer(os.fsencode(path) + b"\0")
    call(_OBJ_PIN, _PIN.pack(_address(name), fd, 0, 0))


def open_pin(path: str) -> int:
    """A file descriptor, close-on-exec, of the map or program pinned at path; OSError (ENOENT if nothing is)."""
    name = _buffer(os.fsencode(path) + b"\0")
    call(_OBJ_GET, _PIN.pack(_address(name), 0, 0, 0))
    return _returned[0]


def link(program: int, target: int, attach_type: int) -> int:
    """Attach a program to a target (a cgroup's folder) as long as the descriptor returned, or a pin of it, lives."""
    call(_LINK_CREATE, struct.pack("=IIII", program, target, attach_type, 0))
    return _returned[0]


def linked_cgroup(fd: int) -> int:
    """The id of the cgroup that a link's program is attached to; 0 once the cgroup is gone (struct bpf_link_info)."""
    info = (ctypes.c_char * 80)()
    call(_OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", fd, len(info), ctypes.addressof(info)))
    return int(struct.unpack_from("=16xQ", info.raw)[0])


def lookup(fd: int, key: bytes, value_size: int) -> bytes | None:
    """The value of a map's element, or None; per-CPU maps give one value, padded to 8 bytes, for each possible CPU."""
    value = (ctypes.c_char * value_size)()
    keys = _buffer(key)
    try:
        call(_MAP_LOOKUP_ELEM, _ELEMENT.pack(fd, _address(keys), ctypes.addressof(value), 0))
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    return value.raw


def update(fd: int, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
    """Set an element; OSError."""
    keys, values = _buffer(key), _buffer(value)
    call(_MAP_UPDATE_ELEM, _ELEMENT.pack(fd, _address(keys), _address(values), flags))


def delete(fd: int, key: bytes) -> None:
    """Remove an element if it is there; OSError for other trouble."""
    keys = _buffer(key)
    try:
        call(_MAP_DELETE_ELEM, _ELEMENT.pack(fd, _address(keys), 0, 0))
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise


def keys(fd: int, key_size: int) -> list[bytes]:
    """All keys of a map; complete if nobody deletes meanwhile."""
    found: list[bytes] = []
    following = (ctypes.c_char * key_size)()
    while True:
        last = _buffer(found[-1]) if found else None
        try:
            call(
                _MAP_GET_NEXT_KEY,
                _ELEMENT.pack(fd, _address(last) if last is not None else 0, ctypes.addressof(following), 0),
            )
        except OSError as error:
            if error.errno == errno.ENOENT:
                return found
            raise
        found.append(following.raw)


def lookup_array(fd: int, rows: range, value_size: int) -> bytes:
    """Consecutive elements of an array map (also per-CPU) in one call, one after the other; OSError."""
    count = len(rows)
    if not count:
        return b""
    before = _buffer(struct.pack("=I", rows.start - 1)) if rows.start else None  # the kernel goes on behind it
    token = (ctypes.c_char * 4)()
    indexes = (ctypes.c_char * (4 * count))()
    values = (ctypes.c_char * (value_size * count))()
    places = (0 if before is None else _address(before), *map(ctypes.addressof, (token, indexes, values)))
    try:
        call(_MAP_LOOKUP_BATCH, _BATCH.pack(*places, count, fd, 0, 0))
    except OSError as error:
        if error.errno != errno.ENOENT:  # ENOENT: the end of the map was reached
            raise
    return values.raw


def update_array(fd: int, rows: Sequence[int], content: bytes) -> None:
    """Set some rows of an array map (also per-CPU) to the values in `content` in one call; OSError."""
    indexes = _buffer(struct.pack(f"={len(rows)}I", *rows))
    values = _buffer(content)
    call(_MAP_UPDATE_BATCH, _BATCH.pack(0, 0, _address(indexes), _address(values), len(rows), fd, 0, 0))


def information(fd: int) -> tuple[int, int, int, int, int]:
    """Type, id, key size, value size, number of elements of a map (struct bpf_map_info); type and id of a program."""
    info = (ctypes.c_char * 80)()
    call(_OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", fd, len(info), ctypes.addressof(info)))
    kind, identity, key_size, value_size, elements = struct.unpack_from("=5I", info.raw)
    return kind, identity, key_size, value_size, elements


def possible_cpus() -> int:
    """How many values a per-CPU map has: the kernel's possible CPUs (Documentation/admin-guide/cputopology.rst)."""
    with open("/sys/devices/system/cpu/possible", encoding="ascii") as file:
        return int(file.read().strip().replace(",", "-").split("-")[-1]) + 1


def run(fd: int, packet: bytes) -> int:
    """Run a program once on a packet (BPF_PROG_TEST_RUN); what it returned. OSError."""
    data = _buffer(packet)
    attributes = struct.pack("=IIIIQQIIIIQQ", fd, 0, len(packet), 0, _address(data), 0, 1, 0, 0, 0, 0, 0)
    return int(struct.unpack_from("=II", call(_PROG_TEST_RUN, attributes))[1])
