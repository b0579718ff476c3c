# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent of one network namespace: programs and maps pinned in a folder below bpffs.ROOT.

The folder lies beside the director's and holds a map `alive` as that does, so whoever collects what namespaces that are
gone left behind collects this too.
"""

from __future__ import annotations

import os
import struct

from bpvs.kernel import bpf, bpffs
from bpvs.kernel.libbpf import Libbpf
from bpvs.kernel.maps import ArrayMap, HashMap, PerCpuArray
from bpvs.model import DirectorError
from bpvs.net.assigned import LOOPBACK
from bpvs.realserver.contract import OBJECT, contract

PROGRAM_IN = "realserver_in"
_SUFFIX = "_realserver"
_WORD = struct.Struct("=I")


def folder_of(cookie: int) -> str:
    """Where the agent of this network namespace is pinned, or would be."""
    return os.path.join(bpffs.root(), f"{cookie:x}{_SUFFIX}")


class Instance:
    """The agent's maps, opened at once; `close` lets go of them."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._descriptors: list[int] = []
        self.settings = ArrayMap(self.open("agent_settings"), contract().settings)
        self.vips = HashMap(self.open("vips"))
        self.devices = HashMap(self.open("devices"))
        self.tunnel_from = HashMap(self.open("tunnel_from"))
        self.toa_from = HashMap(self.open("toa_from"))
        self.fates = PerCpuArray(self.open("fates"))

    @classmethod
    def find(cls, cookie: int) -> Instance | None:
        """The agent of that namespace, or None; DirectorError if another version of BPVS loaded it."""
        folder = folder_of(cookie)
        if not os.path.exists(os.path.join(folder, "agent_settings")):
            return None
        found = cls(folder)
        loaded, known = found.settings.load(0, "abi"), contract().numbers["AGENT_ABI"]
        if loaded != known:
            found.close()
            raise DirectorError(
                f"the agent of this network namespace was loaded by another version of BPVS (its ABI is {loaded}, this "
                f"one's {known}): unload it with that version's `bpvs realserver down`"
            )
        return found

    @classmethod
    def load(cls, cookie: int) -> Instance:
        """Load the programs, whole or not at all; DirectorError. The caller holds the lock on bpffs.root()."""
        folder = folder_of(cookie)
        bpffs.forget_unfinished(folder)
        os.mkdir(folder + bpffs.UNFINISHED, 0o700)
        try:
            _fill(folder + bpffs.UNFINISHED, cookie)
            os.rename(folder + bpffs.UNFINISHED, folder)
        except BaseException:
            bpffs.forget_unfinished(folder)
            raise
        return cls(folder)

    def renew(self) -> None:
        """Put programs of this version in place of those there are; the maps and their content stay. DirectorError."""
        pinned = {name: self.open(name) for name in os.listdir(self.folder)}  # of which the loader takes the maps
        maps, programs = Libbpf().load(OBJECT, pinned, {})
        try:
            for name, fd in programs.items():
                self.pin(fd, name)
        except OSError as error:
            raise DirectorError(f"renewing the agent failed: {error.strerror}") from error
        finally:
            _close(maps, programs)

    def pin(self, fd: int, name: str) -> None:
        """Pin a program or link in place of an older one; OSError."""
        path = os.path.join(self.folder, name)
        fresh = path + bpffs.UNFINISHED
        if os.path.exists(fresh):
            os.unlink(fresh)
        bpf.pin(fd, fresh)
        os.rename(fresh, path)

    def open(self, name: str) -> int:
        """A file descriptor of a pinned map or program, which lives as long as the instance; DirectorError."""
        try:
            self._descriptors.append(bpf.open_pin(os.path.join(self.folder, name)))
        except OSError as error:
            raise DirectorError(f"{self.folder}/{name} cannot be opened: {error.strerror}") from error
        return self._descriptors[-1]

    def close(self) -> None:
        """Let go of all maps and programs; the agent itself stays."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def unload(self) -> None:
        """Unpin everything; with the pins of the links, TOA ends."""
        self.close()
        bpffs.remove(self.folder)


def _fill(folder: str, cookie: int) -> None:
    maps, programs = Libbpf().load(OBJECT, {}, {})
    pinned = {name: fd for name, fd in (maps | programs).items() if "." not in name}
    try:
        settings = contract().settings.pack(abi=contract().numbers["AGENT_ABI"], netns=cookie)
        ArrayMap(maps["agent_settings"], contract().settings).write(0, settings)
        bpf.update(maps["alive"], _WORD.pack(0), _WORD.pack(LOOPBACK))
        for name, fd in pinned.items():
            bpf.pin(fd, os.path.join(folder, name))
    except OSError as error:
        raise DirectorError(f"loading the agent failed: {error.strerror}") from error
    finally:
        _close(maps, programs)


def _close(*descriptors: dict[str, int]) -> None:
    for one in descriptors:
        for fd in one.values():
            os.close(fd)
