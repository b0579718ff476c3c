# SPDX-License-Identifier: GPL-2.0-or-later
"""The receiver of TOA: three programs on a cgroup, attached by links that are pinned."""

from __future__ import annotations

import ctypes
import os

from bpvs.kernel import bpf
from bpvs.model import DirectorError
from bpvs.realserver.contract import contract
from bpvs.realserver.instance import Instance

# enum bpf_attach_type of include/uapi/linux/bpf.h
ATTACH_TYPES = {"toa_learn_peer": 3, "toa_peer4": 29, "toa_peer6": 30}
_CGROUP2_MAGIC = 0x63677270  # include/uapi/linux/magic.h


def check(cgroup: str) -> str:
    """The cgroup's absolute path; DirectorError if that is no folder of a cgroup v2 file system."""
    path = os.path.realpath(cgroup)
    if not os.path.isdir(path):
        raise DirectorError(f"{cgroup} is not a folder; a cgroup's would be /sys/fs/cgroup/system.slice/web.service")
    if _filesystem(path) != _CGROUP2_MAGIC:
        raise DirectorError(f"{cgroup} is not in a cgroup v2 file system; `mount -t cgroup2` tells where one is")
    if len(os.fsencode(path)) >= contract().numbers["CGROUP_PATH"]:
        raise DirectorError(f"the path of the cgroup is too long: {path}")
    return path


def attach(instance: Instance, cgroup: str) -> None:
    """Attach the programs to the cgroup, the new links before the old ones go; DirectorError."""
    folder = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    made: dict[str, int] = {}
    try:
        for name, kind in ATTACH_TYPES.items():
            made[name] = bpf.link(instance.open(name), folder, kind)
        _note(instance, cgroup)
        for name, fd in made.items():
            instance.pin(fd, f"{name}_link")
    except OSError as error:
        raise DirectorError(
            f"cannot attach to {cgroup}: {error.strerror}; has another program been attached to it, or to a cgroup "
            "above it, exclusively? (`bpftool cgroup tree`)"
        ) from error
    finally:
        os.close(folder)
        for fd in made.values():
            os.close(fd)


def detach(instance: Instance) -> None:
    """Let the links go."""
    for name in ATTACH_TYPES:
        if os.path.exists(_place(instance, name)):
            os.unlink(_place(instance, name))
    _note(instance, "")


def cgroup_of(instance: Instance) -> str:
    """The path of the cgroup that the programs were attached to, "" for none."""
    (path,) = instance.settings.read(0, "cgroup")
    return os.fsdecode(bytes(path).split(b"\0", 1)[0])


def is_attached(instance: Instance) -> bool:
    """Whether all links are there, and the cgroup: its path may only be out of sight."""
    try:
        return all(bpf.linked_cgroup(instance.open(f"{name}_link")) for name in ATTACH_TYPES)
    except DirectorError:
        return False


def _note(instance: Instance, cgroup: str) -> None:
    layout = contract().settings
    content = os.fsencode(cgroup).ljust(layout.width("cgroup"), b"\0")
    instance.settings.write(0, content, layout.offset("cgroup"))


def _place(instance: Instance, name: str) -> str:
    return os.path.join(instance.folder, f"{name}_link")


def _filesystem(path: str) -> int:
    buffer = (ctypes.c_long * 32)()
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(path), ctypes.byref(buffer)):
        return 0
    return buffer[0] & 0xFFFFFFFF
