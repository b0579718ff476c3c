# SPDX-License-Identifier: GPL-2.0-or-later
"""One loaded data plane: a folder of pins below bpffs.ROOT, named by its network namespace's cookie."""

from __future__ import annotations

import os
import struct

from bpvs.kernel import _abi, bpf, bpffs
from bpvs.kernel.layout import Layout
from bpvs.kernel.maps import ArrayMap, HashMap, PerCpuArray
from bpvs.model import DirectorError

PROGRAM_TC = "director_tc"
PROGRAM_XDP = "director_xdp"
PROGRAM_EGRESS = "director_egress"
PROGRAM_DETOUR = "director_detour"


def folder_of(cookie: int) -> str:
    """Where the instance of this network namespace is, or would be."""
    return os.path.join(bpffs.root(), f"{cookie:x}")


class Instance:
    """The maps and programs of one instance, opened as they are needed."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._identity = os.stat(folder)
        self._arrays: dict[str, ArrayMap] = {}
        self._descriptors: dict[str, int] = {}

    @classmethod
    def find(cls, cookie: int) -> Instance | None:
        """The instance of that namespace, or None; DirectorError if another version of BPVS loaded it."""
        folder = folder_of(cookie)
        if not os.path.exists(os.path.join(folder, "settings")):
            return None
        found = cls(folder)
        loaded = found.settings.load(0, "abi")
        if loaded != _abi.ABI_VERSION:
            raise DirectorError(
                f"the data plane of this network namespace was loaded by another version of BPVS (its ABI is {loaded}, "
                f"this one's {_abi.ABI_VERSION}): unload it with that version's `bpvs down`"
            )
        return found

    def is_current(self) -> bool:
        """Whether this is still the instance of that name: not unloaded, nor loaded again, since."""
        try:
            return os.path.samestat(os.stat(self.folder), self._identity)
        except FileNotFoundError:
            return False

    def open(self, name: str) -> int:
        """A file descriptor of a pinned map or program, owned by the caller; DirectorError."""
        try:
            return bpf.open_pin(os.path.join(self.folder, name))
        except OSError as error:
            raise DirectorError(f"{self.folder}/{name} cannot be opened: {error.strerror}") from error

    def __del__(self) -> None:
        self.close()

    def unload(self) -> None:
        """Unpin everything; programs still attached somewhere go when they are detached."""
        self.close()
        bpffs.remove(self.folder)

    def close(self) -> None:
        """Let go of all maps; the instance itself stays."""
        self._arrays.clear()
        while self._descriptors:
            os.close(self._descriptors.popitem()[1])

    @property
    def settings(self) -> ArrayMap:
        """struct settings, one row."""
        return self._array("settings", _abi.SETTINGS)

    @property
    def runtime(self) -> ArrayMap:
        """struct runtime, one row."""
        return self._array("runtime", _abi.RUNTIME)

    @property
    def services(self) -> ArrayMap:
        """struct service by row; row 0 is unused."""
        return self._array("services", _abi.SERVICE)

    @property
    def servers(self) -> ArrayMap:
        """struct server: the lists that plans point into."""
        return self._array("servers", _abi.SERVER)

    @property
    def dests(self) -> ArrayMap:
        """struct dest by row; row 0 is unused."""
        return self._array("dests", _abi.DEST)

    @property
    def conns(self) -> ArrayMap:
        """struct conn by row."""
        return self._array("conns", _abi.CONN)

    @property
    def dest_rates(self) -> ArrayMap:
        """struct rates of each row of `dests`."""
        return self._array("dest_rates", _abi.RATES)

    @property
    def service_rates(self) -> ArrayMap:
        """struct rates of each row of `services`."""
        return self._array("service_rates", _abi.RATES)

    @property
    def stations(self) -> ArrayMap:
        """struct station by interface index."""
        return self._array("stations", _abi.STATION)

    @property
    def service_ids(self) -> HashMap:
        """Service key to row."""
        return HashMap(self._descriptor("service_ids"))

    @property
    def nat_servers(self) -> HashMap:
        """Where NAT serves, as service key, to row of `dests`."""
        return HashMap(self._descriptor("nat_servers"))

    @property
    def locals(self) -> ArrayMap:
        """struct address: the lists of local addresses that plans point into."""
        return self._array("locals", _abi.ADDRESS)

    @property
    def slots(self) -> ArrayMap:
        """struct slot_row: the tables that plans point into."""
        return self._array("slots", _abi.SLOT_ROW)

    @property
    def mark_rules(self) -> ArrayMap:
        """struct mark_rule: two lists, of which settings.mark_rules tells the one in force."""
        return self._array("mark_rules", _abi.MARK_RULE)

    @property
    def books(self) -> HashMap:
        """struct book_key to struct book."""
        return HashMap(self._descriptor("books"))

    @property
    def call_ids(self) -> HashMap:
        """Row of `conns` to struct call_id."""
        return HashMap(self._descriptor("call_ids"))

    @property
    def foreign(self) -> HashMap:
        """struct address to enum foreign_flags."""
        return HashMap(self._descriptor("foreign"))

    @property
    def attachments(self) -> HashMap:
        """Interface index to struct attachment."""
        return HashMap(self._descriptor("attachments"))

    @property
    def traffic(self) -> PerCpuArray:
        """struct lane of each real server: its counters; the hop is only cleared."""
        return PerCpuArray(self._descriptor("traffic"), _abi.COUNTERS.size // 8)

    @property
    def verdicts(self) -> PerCpuArray:
        """Packets by enum verdict."""
        return PerCpuArray(self._descriptor("verdicts"))

    def is_alive(self) -> bool:
        """Whether the network namespace of the instance still exists; see `alive` in housekeeper.bpf.c."""
        fd = self.open("alive")
        try:
            return bpf.lookup(fd, struct.pack("=I", 0), 4) is not None
        finally:
            os.close(fd)

    def _array(self, name: str, layout: Layout) -> ArrayMap:
        if name not in self._arrays:
            self._arrays[name] = ArrayMap(self._descriptor(name), layout)
        return self._arrays[name]

    def _descriptor(self, name: str) -> int:
        if name not in self._descriptors:
            self._descriptors[name] = self.open(name)
        return self._descriptors[name]


def collect_dead() -> None:
    """Remove what namespaces that are gone and commands that were killed left behind.

    The caller holds the lock on bpffs.root(), under which alone folders are filled and emptied.
    """
    root = bpffs.root()
    for name in os.listdir(root):
        folder = os.path.join(root, name)
        if name.endswith(bpffs.UNFINISHED):
            bpffs.forget_unfinished(folder.removesuffix(bpffs.UNFINISHED))
        elif os.path.exists(os.path.join(folder, "alive")):
            instance = Instance(folder)
            if not instance.is_alive():
                instance.unload()
