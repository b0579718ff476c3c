# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel settings; those below `net` belong to the network namespace of the calling thread."""

from __future__ import annotations

_ROOT = "/proc/sys/"


def path(name: str) -> str:
    """The file of a setting written with dots, as `sysctl` does; a slash stands for a dot inside a name (eth0/5)."""
    return _ROOT + name.translate(str.maketrans("./", "/."))


def read(name: str) -> str:
    """The value without the final newline; FileNotFoundError if this kernel has no such setting."""
    with open(path(name), encoding="ascii") as file:
        return file.read().rstrip("\n")


def write(name: str, value: str | int) -> None:
    """Sets the value; OSError(EINVAL) if the kernel refuses it, PermissionError without the right."""
    with open(path(name), "w", encoding="ascii") as file:
        file.write(f"{value}\n")


def exists(name: str) -> bool:
    """Whether this kernel has the setting."""
    try:
        read(name)
    except FileNotFoundError:
        return False
    return True
