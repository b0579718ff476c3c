# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of libbpf that loading and attaching needs, through ctypes; works with libbpf 0.8 and later."""

from __future__ import annotations

import ctypes
import os
from _thread import get_ident
from collections.abc import Mapping

from bpvs.model import DirectorError

LIBRARIES = ("libbpf.so.1", "libbpf.so.0")
TC_INGRESS = 1
TC_EGRESS = 2

_FRAME = ("libbpf: ", "-- ", "processed ")  # what stands around the verifier's own words
_TOLD_LINES = 2  # the verifier ends with what it dislikes

_XDP_UPDATE_IF_NOEXIST = 1 << 0
_XDP_REPLACE = 1 << 4
_XDP_NATIVE = 1 << 2


Descriptors = dict[str, int]


class _TcHook(ctypes.Structure):
    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("ifindex", ctypes.c_int),
        ("attach_point", ctypes.c_int),
        ("parent", ctypes.c_uint32),
    )


class _TcOpts(ctypes.Structure):
    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("prog_fd", ctypes.c_int),
        ("flags", ctypes.c_uint32),
        ("prog_id", ctypes.c_uint32),
        ("handle", ctypes.c_uint32),
        ("priority", ctypes.c_uint32),
    )


class _XdpOpts(ctypes.Structure):
    _fields_ = (("sz", ctypes.c_size_t), ("old_prog_fd", ctypes.c_int))


def _library() -> ctypes.CDLL:
    for name in LIBRARIES:
        try:
            return _declare(ctypes.CDLL(name, use_errno=True))
        except OSError:
            continue
    raise DirectorError(f"{LIBRARIES[0]} is missing: install libbpf (Debian: apt install libbpf1)")


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    for name in ("bpf_object__open_file", "bpf_object__next_map", "bpf_object__next_program", "bpf_map__name"):
        getattr(library, name).restype = ctypes.c_void_p
    library.bpf_program__name.restype = ctypes.c_char_p
    library.bpf_map__name.restype = ctypes.c_char_p
    library.libbpf_set_print.restype = ctypes.c_void_p
    return library


class Libbpf:
    """libbpf, quiet: what it says of a failure goes into the DirectorError."""

    def __init__(self) -> None:
        self._library = _library()
        self._words: dict[int, list[str]] = {}  # by thread: objects may be loaded side by side
        self._print = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(self._listen)
        self._library.libbpf_set_print(self._print)

    def load(
        self, path: str | os.PathLike[str], pinned: Mapping[str, int], sizes: Mapping[str, int]
    ) -> tuple[Descriptors, Descriptors]:
        """Load an object file; file descriptors of its maps and of its programs by name, owned by the caller.

        `pinned`: maps that exist already, by name. `sizes`: max_entries of maps that get another size than the object
        says. Raises DirectorError.
        """
        name = os.path.basename(path)
        handle = ctypes.c_void_p(self._library.bpf_object__open_file(os.fsencode(path), None))
        if not handle:
            raise self._error(f"cannot read {name}", -ctypes.get_errno())
        try:
            for at, map_ in self._maps(handle):
                if map_ in pinned:
                    self._check(self._library.bpf_map__reuse_fd(at, pinned[map_]), f"map {map_} of {name}")
                elif map_ in sizes:
                    self._check(self._library.bpf_map__set_max_entries(at, sizes[map_]), f"size of map {map_}")
            self._check(self._library.bpf_object__load(handle), f"the kernel refuses {name}")
            maps = {map_: os.dup(self._library.bpf_map__fd(at)) for at, map_ in self._maps(handle)}
            programs = {one: os.dup(self._library.bpf_program__fd(at)) for at, one in self._programs(handle)}
            return maps, programs
        finally:
            self._library.bpf_object__close(handle)

    def attach_tc(self, ifindex: int, program: int, handle: int, priority: int, direction: int = TC_INGRESS) -> None:
        """Attach a program to TC, on a new clsact qdisc if there is none, replacing ours; DirectorError."""
        hook = _TcHook(ctypes.sizeof(_TcHook), ifindex, direction, 0)
        result = self._library.bpf_tc_hook_create(ctypes.byref(hook))
        if result and result != -17:  # EEXIST
            self._check(result, f"clsact qdisc on interface {ifindex}")
        opts = _TcOpts(ctypes.sizeof(_TcOpts), program, 1, 0, handle, priority)  # flags: BPF_TC_F_REPLACE
        self._check(self._library.bpf_tc_attach(ctypes.byref(hook), ctypes.byref(opts)), f"TC on interface {ifindex}")

    def detach_tc(self, ifindex: int, handle: int, priority: int, direction: int = TC_INGRESS) -> None:
        """Take our program from TC; nothing happens where there is none."""
        hook = _TcHook(ctypes.sizeof(_TcHook), ifindex, direction, 0)
        opts = _TcOpts(ctypes.sizeof(_TcOpts), 0, 0, 0, handle, priority)
        self._library.bpf_tc_detach(ctypes.byref(hook), ctypes.byref(opts))

    def remove_clsact(self, ifindex: int) -> None:
        """Remove the clsact qdisc and all that hangs on it."""
        hook = _TcHook(ctypes.sizeof(_TcHook), ifindex, TC_INGRESS | TC_EGRESS, 0)
        self._library.bpf_tc_hook_destroy(ctypes.byref(hook))

    def attach_xdp(self, ifindex: int, program: int) -> None:
        """Attach a program to XDP in the driver where none is attached; DirectorError."""
        flags = _XDP_NATIVE | _XDP_UPDATE_IF_NOEXIST
        self._check(self._library.bpf_xdp_attach(ifindex, program, flags, None), f"native XDP on interface {ifindex}")

    def detach_xdp(self, ifindex: int, program: int) -> None:
        """Detach XDP if the program attached is the given one."""
        opts = _XdpOpts(ctypes.sizeof(_XdpOpts), program)
        self._library.bpf_xdp_detach(ifindex, _XDP_NATIVE | _XDP_REPLACE, ctypes.byref(opts))

    def _maps(self, handle: ctypes.c_void_p) -> list[tuple[ctypes.c_void_p, str]]:
        return self._walk(handle, self._library.bpf_object__next_map, self._library.bpf_map__name)

    def _programs(self, handle: ctypes.c_void_p) -> list[tuple[ctypes.c_void_p, str]]:
        return self._walk(handle, self._library.bpf_object__next_program, self._library.bpf_program__name)

    @staticmethod
    def _walk(
        handle: ctypes.c_void_p, following: ctypes._NamedFuncPointer, name_of: ctypes._NamedFuncPointer
    ) -> list[tuple[ctypes.c_void_p, str]]:
        found = []
        at = ctypes.c_void_p(following(handle, None))
        while at:
            found.append((at, name_of(at).decode()))
            at = ctypes.c_void_p(following(handle, at))
        return found

    def _listen(self, level: int, form: bytes, arguments: int) -> int:
        if level == 0:
            text = ctypes.create_string_buffer(8192)
            ctypes.CDLL(None).vsnprintf(text, len(text), form, ctypes.c_void_p(arguments))
            self._words.setdefault(get_ident(), []).append(text.value.decode(errors="replace").strip())
        return 0

    def _check(self, result: int, what: str) -> None:
        if result:
            raise self._error(what, result)

    def _error(self, what: str, result: int) -> DirectorError:
        words = "\n".join(self._words.pop(get_ident(), ())).splitlines()
        told = [line for line in words if not line.startswith(_FRAME)]
        return DirectorError("\n  ".join([f"{what}: {os.strerror(-result)}", *told[-_TOLD_LINES:]]))
