# SPDX-License-Identifier: GPL-2.0-or-later
"""The real server's agent in a few steps, in one process: starting programs takes many seconds in the machine.

    realserver_player.py CGROUP      prints a line for each tunnel and each conversation with TOA

CGROUP is the root of a cgroup v2 file system.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from bpvs.model import Address
from bpvs.realserver import Agent, Plan
from tests.lab.realserver_net import VIP, VIP6, Lan, lan
from tests.lab.test_realserver_toa import LOCAL, LOCAL6, PORT, TOLD, Conversation
from tests.packets.agent_rig import AgentRig
from tests.packets.test_realserver import FAMILIES, WRAPS, framed, inner, wrapped

_SECONDS = 60


def play_tunnels() -> None:
    """Every kind of tunnel, and what of the inner packet comes out."""
    rig = AgentRig()
    try:
        for kind in WRAPS:
            for outer in FAMILIES:
                for family in FAMILIES:
                    packet = inner(family, payload=bytes(1000))
                    done = rig.run(wrapped(kind, outer, family, packet))
                    is_right = done.frame == framed(packet) and done.counted == {WRAPS[kind].counter: 1}
                    print(f"{kind} {family} in {outer}: {'right' if is_right else done}")
    finally:
        rig.close()


def play_toa(cgroup: Path) -> None:
    """A connection for each row of the table, accepted by this process, which is in the cgroup."""
    (cgroup / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
    with lan() as net:
        with net.server.inside():
            for _ in range(2):  # the second time with new programs on the maps of the first
                Agent().up(Plan((Address.parse(VIP), Address.parse(VIP6)), ("eth0",), cgroup=str(cgroup)))
            listeners = {family: _listener(family) for family in PORT}
        try:
            for number, name in enumerate(TOLD):
                print(f"{name}: {_converse(net, listeners, name, 30000 + number)}")
        finally:
            for listener in listeners.values():
                listener.close()
            with net.server.inside():
                Agent().down()


def _listener(family: socket.AddressFamily) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.bind(("", PORT[family]))
    made.listen()
    made.settimeout(_SECONDS)
    return made


def _converse(net: Lan, listeners: dict[socket.AddressFamily, socket.socket], name: str, port: int) -> str:
    family, own, option, told = TOLD[name]
    with net.wire() as wire:
        one = Conversation(wire, own, PORT[family], port)
        one.open(option)
        connection, accepted = listeners[family].accept()
    with connection:
        named = connection.getpeername()
    if told == ("", 0):
        told = (own if own == LOCAL6 or family == socket.AF_INET else f"::ffff:{LOCAL}", port)
    is_right = accepted[:2] == named[:2] == told
    return "right" if is_right else f"accept() {accepted}, getpeername() {named}, not {told}"


def main(arguments: list[str]) -> int:
    """Play everything; 0 if it came to its end, whatever the programs did."""
    play_tunnels()
    play_toa(Path(arguments[0]))
    print("played")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
