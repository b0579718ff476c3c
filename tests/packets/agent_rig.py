# SPDX-License-Identifier: GPL-2.0-or-later
"""A real server's agent alone in a network namespace, whose TC program is run on single frames (BPF_PROG_TEST_RUN).

      director .1 ---- eth0 10.1.0.2, fd01::2 [real server] router 10.2.0.2, fd02::2 (forwards)

The VIPs are 192.0.2.80 and 2001:db8::80; tunnels are ended for 10.0.0.0/8 and fd00::/8 alone.
"""

from __future__ import annotations

import os
import secrets
import socket
import struct
import subprocess
from dataclasses import dataclass

from bpvs.model import Address
from bpvs.model.network import Network
from bpvs.net import namespace, sysctl
from bpvs.realserver import Agent, Plan
from bpvs.realserver.instance import PROGRAM_IN, Instance
from tests.packets.rig import _test_run

VIP, VIP6 = "192.0.2.80", "2001:db8::80"
SERVER, SERVER6 = "10.1.0.2", "fd01::2"
DIRECTOR, DIRECTOR6 = "10.1.0.1", "fd01::1"
CLIENT, CLIENT6 = "198.51.100.7", "2001:db8:7::7"
STATION, DIRECTOR_STATION = "02:00:00:00:01:02", "02:00:00:00:01:01"
ROUTER_STATION = "02:00:00:00:02:02"
GUE_PORT = 6080
TRUSTED = ("10.0.0.0/8", "fd00::/8")
PASSED, DROPPED, REDIRECTED = -1, 2, 7  # include/uapi/linux/pkt_cls.h

_SK_BUFF = struct.Struct("=36xII132xI12x")  # ingress_ifindex, ifindex, gso_size


@dataclass(frozen=True, slots=True)
class Run:
    """What the program did: `counted` are the counters that rose, by name."""

    action: int
    frame: bytes
    counted: dict[str, int]


class AgentRig:
    """The namespace and the agent in it."""

    def __init__(self) -> None:
        self.namespace = f"bpvs-{os.getpid():x}-{secrets.token_hex(2)}-agent"
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        try:
            with namespace.inside(self.namespace):
                self._build()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Take the agent down and remove the namespace."""
        with namespace.inside(self.namespace):
            Agent().down()
        subprocess.run(["ip", "netns", "delete", self.namespace], check=True)

    def run(self, frame: bytes, link: str = "eth0", gso_size: int = 0) -> Run:
        """Run the program on a frame that comes in by an interface."""
        with namespace.inside(self.namespace):
            index = socket.if_nametoindex(link)
            instance = Instance.find(namespace.cookie())
            assert instance is not None
            before = self._counters()
            action, out = _test_run(instance.open(PROGRAM_IN), frame, _SK_BUFF.pack(index, index, gso_size))
            instance.close()
            after = self._counters()
        return Run(action, out, {name: after[name] - before[name] for name in after if after[name] != before[name]})

    @staticmethod
    def _counters() -> dict[str, int]:
        report = Agent().report()
        assert report is not None
        return report.counters

    def _build(self) -> None:
        sysctl.write("net.ipv6.conf.default.accept_dad", 0)
        lines = ["link set lo up"]
        for number, name in enumerate(("eth0", "router"), 1):
            lines += [
                f"link add {name} address 02:00:00:00:0{number}:02 type veth peer name {name}-far",
                f"link set {name} up",
                f"link set {name}-far up",
                f"address add 10.{number}.0.2/24 dev {name}",
                f"address add fd0{number}::2/64 dev {name} nodad",
            ]
        lines += ["route add 10.9.0.0/16 via 10.2.0.9", "route add fd09::/16 via fd02::9"]
        subprocess.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)
        for family in ("ipv4", "ipv6"):
            sysctl.write(f"net.{family}.conf.router.forwarding", 1)
        vips = (Address.parse(VIP), Address.parse(VIP6))
        trusted = tuple(map(Network.parse, TRUSTED))
        Agent().up(Plan(vips, ("eth0", "router"), GUE_PORT, None, trusted))
