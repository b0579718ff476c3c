# SPDX-License-Identifier: GPL-2.0-or-later
"""toa.h and realserver/toa.h between real stacks: FullNAT's server sees the client's address in accept().

Also behind SYNPROXY, where the director's own ACK tells it, and of IPv6 clients of an IPv4 server.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import pytest

from bpvs.director import Director
from bpvs.lab import offload
from bpvs.lab.shell import own_tool
from tests.lab import talker
from tests.lab.balancing import Balanced, balanced, text
from tests.lab.guarded import ask, connected, line_of, passed, wire_rules
from tests.lab.talker import GREETING
from tests.lab.test_realserver_toa import cgroup_mount

pytestmark = pytest.mark.root

PLAIN, GUARDED = 7200, 7201  # the server's ports
MANY, SOME = 300, 60
NO_VIP = "192.0.2.1"  # FullNAT's servers need none, but the agent wants one

_JOIN = """
import os, sys
with open(sys.argv[1] + "/cgroup.procs", "w") as file:
    file.write(str(os.getpid()))
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@dataclass(frozen=True, slots=True)
class Way:
    """A service by the families of client and server, and whether SYNPROXY guards it."""

    is_ipv6: bool
    server_is_ipv6: bool
    is_guarded: bool

    @property
    def server_port(self) -> int:
        return GUARDED if self.is_guarded else PLAIN

    @property
    def port(self) -> int:
        """The service's, which no other has."""
        return self.server_port + 10 * (1 + self.is_ipv6 + self.server_is_ipv6)

    def add(self, site: Balanced) -> None:
        number = int(self.server_is_ipv6)
        vip, server = (site.net.vip, site.net.vip6)[self.is_ipv6], (site.net.addresses, site.net.addresses6)[number][0]
        service = f"-t {text(vip)}:{self.port}"
        lines = [f"-A {service} -s rr" + (" -j enable" if self.is_guarded else "")]
        lines += [f"-P {service} -z {local}" for local in (site.net.locals, site.net.locals6)[number]]
        lines.append(f"-a {service} -r {text(server)}:{self.server_port} -b")
        site.net.director.ipvsadm("-R", stdin="\n".join(lines) + "\n").checked()


FAMILIES = {"IPv4": (False, False), "IPv6": (True, True), "IPv6 to IPv4": (True, False)}
WAYS = {
    f"{name}{', guarded' if is_guarded else ''}": Way(*families, is_guarded)
    for (name, families), is_guarded in product(FAMILIES.items(), (False, True))
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@pytest.fixture(scope="module")
def cgroup() -> Iterator[Path]:
    made = cgroup_mount() / f"bpvs-{os.getpid():x}-{secrets.token_hex(2)}"
    made.mkdir()
    yield made
    made.rmdir()


@pytest.fixture(scope="module")
def net(cgroup: Path) -> Iterator[Balanced]:
    """The first server has the agent, and the talking server in the agent's cgroup."""
    with balanced("fullnat", "ipv4") as site:
        server = site.net.servers[0]
        for way in WAYS.values():
            way.add(site)
        join = (sys.executable, "-c", _JOIN, str(cgroup), talker.__file__, str(PLAIN), str(GUARDED))
        with server.inside():  # not `ip netns exec`, below which cgroups are out of sight
            agent(["up", "--vip", NO_VIP, "--dev", "eth0", "--toa", str(cgroup)])
            process = subprocess.Popen(join, stdout=subprocess.PIPE, text=True)
        try:
            server.await_ready(process, "talking server in the cgroup")
            yield site
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
            with server.inside():
                agent(["down"])


def agent(words: list[str]) -> None:
    subprocess.run([*own_tool("bpvs"), "realserver", *words], check=True, stdout=subprocess.DEVNULL)


def is_known(net: Balanced, way: Way, is_eager: bool = False) -> bool:
    """Whether accept() told the client's own address and port; an eager client speaks before the server does."""
    with connected(replace(net, is_ipv6=way.is_ipv6), way.port) as one:
        own = one.getsockname()
        if is_eager:
            one.sendall(b"client\n")
        assert line_of(one) == GREETING
        said = line_of(one).decode().strip() if is_eager else ask(one, "client")
    return said == f"{own[0]} {own[1]}"


def turns_round_the_siding(net: Balanced) -> int:
    with net.net.director.inside():
        return Director().verdicts()["HOLD_FINISH"]


@EVERY_WAY
def test_every_connection_s_client_is_known(net: Balanced, way: Way) -> None:
    """The client's checksums are unfinished here, so what the director writes into takes a turn round the siding."""
    before = turns_round_the_siding(net)
    count = SOME if way.is_ipv6 else MANY
    assert [is_known(net, way, number % 2 == 0) for number in range(count)] == [True] * count
    turns = turns_round_the_siding(net) - before
    if way.is_guarded:
        assert turns <= count  # only where the client was faster than the server's first word
    else:
        assert turns >= count


@EVERY_WAY
def test_finished_packets_take_no_turn(net: Balanced, way: Way) -> None:
    before = turns_round_the_siding(net)
    with net.net.client.inside():
        offload.set_transmit_checksum("eth0", enabled=False)
    try:
        assert all(is_known(net, way, is_eager) for is_eager in (False, True))
    finally:
        with net.net.client.inside():
            offload.set_transmit_checksum("eth0", enabled=True)
    assert turns_round_the_siding(net) == before


@pytest.mark.parametrize("is_eager", [False, True], ids=["silent", "eager"])
@EVERY_WAY
def test_a_lost_acknowledgement_is_made_up_for(net: Balanced, way: Way, is_eager: bool) -> None:
    """The first data tells the client, or the ACK for the server's repeated SYN, ACK."""
    lost = f"tcp dport {way.server_port} tcp flags & (syn | ack | psh) == ack numgen inc mod 1000000 == 0 counter drop"
    with wire_rules(net, lost):
        assert is_known(net, way, is_eager)
        assert passed(net) == [1]


@pytest.mark.parametrize("way", [WAYS["IPv4"], WAYS["IPv6"]], ids=["IPv4", "IPv6"])
def test_data_in_a_syn_waits_for_the_handshake(net: Balanced, way: Way) -> None:
    """A server that took it (RFC 7413) would have accepted the connection before it could be told the client."""
    vip, local = ((net.net.vip, net.net.locals[0]), (net.net.vip6, net.net.locals6[0]))[way.is_ipv6]
    words = ("-t", f"{text(vip)}:{way.port}", "-z", local)
    net.net.director.ipvsadm("-Q", *words).checked()  # with one address alone a cookie is good the next time
    for host in (net.net.client, net.net.servers[0]):
        host.set_sysctl("net.ipv4.tcp_fastopen", 3)
    try:
        for _ in range(3):
            with net.net.client.inside():
                one = socket.socket(socket.AF_INET6 if way.is_ipv6 else socket.AF_INET)
            with one:
                one.sendto(b"client\n", socket.MSG_FASTOPEN, (vip, way.port))
                one.settimeout(5)
                own = one.getsockname()
                assert line_of(one) == GREETING
                assert line_of(one).decode().strip() == f"{own[0]} {own[1]}"
    finally:
        for host in (net.net.client, net.net.servers[0]):
            host.set_sysctl("net.ipv4.tcp_fastopen", 1)
        net.net.director.ipvsadm("-P", *words).checked()
