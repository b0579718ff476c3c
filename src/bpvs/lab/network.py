# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts plugged into switches: everything a lab needs from `ip`, built in few processes and removed for certain."""

from __future__ import annotations

import os
import secrets
import select
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from bpvs.lab.host import WEB_SERVER, Host
from bpvs.lab.shell import LabError, run
from bpvs.lab.wait import PATIENCE
from bpvs.net import namespace

PREFIX = "bpvs-"
SWITCHES = "wire"
_ENDING = 10.0  # seconds that a killed program may take, if the machine is busy
MONITOR = "bpvs.mon"  # the daemon as a module, where it is not installed as a program
# Addresses work at once, and neither strict nor loose source checks of the distribution decide about the lab.
_SYSCTLS = {
    "net.ipv6.conf.all.accept_dad": 0,
    "net.ipv6.conf.default.accept_dad": 0,
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 0,
}


class Network:
    """A set of namespaces whose names begin with one name that no other run uses; a context manager.

    The bridges live in a namespace of their own, so the machine's own namespace gets no interface. Leaving the block
    ends the programs and removes the namespaces, also after an exception or Ctrl-C; `keep` leaves everything
    standing, `remove(name)` ends it later.
    """

    def __init__(self, keep: bool = False) -> None:
        self.name = f"{PREFIX}{os.getpid():x}-{secrets.token_hex(2)}"
        self.keep = keep
        self.hosts: dict[str, Host] = {}
        self._ports = 0

    def __enter__(self) -> Self:
        try:
            self.host(SWITCHES)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is not None or not self.keep:
            self.close()

    def host(self, name: str) -> Host:
        """A new machine with only `lo`, up."""
        host = Host(f"{self.name}-{name}")
        run(["ip", "netns", "add", host.name]).checked()
        self.hosts[name] = host
        for setting, value in _SYSCTLS.items():
            host.set_sysctl(setting, value)
        self.configure(host, "link set lo up")
        return host

    def switch(self, name: str) -> str:
        """A new bridge that forwards from its first moment; returns its name for `plug`."""
        self.configure(
            self.hosts[SWITCHES],
            f"link add {name} type bridge forward_delay 0 mcast_snooping 0",
            f"link set {name} up",
        )
        return name

    def plug(self, host: Host, interface: str, switch: str, *addresses: str) -> None:
        """Connects a new veth interface of the host to a switch and gives it addresses (with prefix length)."""
        self._ports += 1
        port = f"port{self._ports}"
        self.configure(
            self.hosts[SWITCHES],
            f"link add {port} type veth peer name {interface} netns {host.name}",
            f"link set {port} master {switch} up",
        )
        self.configure(host, f"link set {interface} up", *(_add_address(interface, one) for one in addresses))

    def configure(self, host: Host, *lines: str) -> None:
        """Runs lines as `ip -batch` takes them ("route add default via 10.0.1.1") on the host, all or LabError."""
        run(["ip", "-n", host.name, "-batch", "-"], stdin="\n".join(lines) + "\n").checked()

    def close(self) -> None:
        """Ends the programs and removes the namespaces; the first failure is raised when all is done."""
        with ThreadPoolExecutor() as pool:
            failures = [error for error in pool.map(_stop, self.hosts.values()) if error is not None]
        for host in reversed(self.hosts.values()):
            done = run(["ip", "netns", "delete", host.name])
            if done.code != 0:
                failures.append(LabError(f"cannot remove namespace {host.name}: {done.err.strip()}"))
        self.hosts.clear()
        if failures:
            raise failures[0]


def _stop(host: Host) -> Exception | None:
    try:
        host.stop()
    except (LabError, OSError) as error:
        return error
    return None


def remove(name: str) -> list[str]:
    """Ends the web servers and removes the namespaces of a network left standing; returns the namespaces' names."""
    found = sorted(entry.name for entry in Path(namespace.NAMED).glob(f"{name}-*")) if name.startswith(PREFIX) else []
    if not found:
        raise LabError(f"there is no network {name}; `ip netns list` shows those that there are")
    for one in found:
        host = Host(one, is_director=one.endswith("-director"), is_real_server="-server" in one)
        end_programs(host)
        host.stop()
        run(["ip", "netns", "delete", one]).checked()
    return found


def end_programs(host: Host) -> None:
    """Ends web servers and monitor daemons of the host, whoever started them, and returns when they have ended.

    A shell that somebody has open in the namespace is not touched.
    """
    with ExitStack() as stack:
        ending = []
        for word in run(["ip", "netns", "pids", host.name]).out.split():
            with suppress(ProcessLookupError, FileNotFoundError):
                process = os.pidfd_open(int(word))
                stack.callback(os.close, process)
                words = Path(f"/proc/{word}/cmdline").read_bytes().split(b"\0")
                if any(_is_ours(one.decode(errors="replace")) for one in words):
                    signal.pidfd_send_signal(process, signal.SIGKILL)
                    ending.append(process)
        for process in ending:
            if not select.select([process], [], [], _ENDING * PATIENCE)[0]:
                raise LabError(f"a program of {host.name} did not end")


def _is_ours(word: str) -> bool:
    """A word of the command line of one of our programs that stay."""
    return word in (WEB_SERVER, MONITOR, str(Path(sys.executable).with_name("mon")))


def _add_address(interface: str, address: str) -> str:
    nodad = " nodad" if ":" in address else ""
    return f"address add {address} dev {interface}{nodad}"
