# SPDX-License-Identifier: GPL-2.0-or-later
"""Tunnels between BPVS and the kernel's own: tunnel_player.py device|ipvs, a line for each kind of tunnel.

device   BPVS's director; the kernel's ipip, gre and fou devices on the real servers
ipvs     the kernel's IPVS as director; BPVS's agent on the real servers
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType

from bpvs.lab.host import Host
from bpvs.lab.shell import run
from bpvs.lab.topology import FAR, Routed, apart, remote

PORT = 8080
GUE_PORT = 6080
KINDS = {
    "ipip": "-i",
    "gre": "-i --tun-type gre --tun-nocsum",
    "gre with checksum": "-i --tun-type gre --tun-csum",
    "gue": f"-i --tun-type gue --tun-port {GUE_PORT} --tun-nocsum",
    "gue with checksum": f"-i --tun-type gue --tun-port {GUE_PORT} --tun-csum",
    "gue with remote checksum": f"-i --tun-type gue --tun-port {GUE_PORT} --tun-remcsum",
}
LOADING_S = 120.0  # verifying the programs takes long under emulation
_NOTHING: Mapping[str, Callable[[], None]] = MappingProxyType({})
UPLOAD_BYTES = 200_000  # many segments of full size


def play_devices() -> None:
    """The kernel's tunnel devices take what BPVS sends."""
    for module in ("ipip", "ip_gre", "fou"):
        run(["modprobe", module]).checked()
    with apart() as net:
        server = net.servers[0]
        _build_devices(net, server)
        net.director.ipvsadm("-A", "-t", f"{net.vip}:{PORT}", "-s", "rr", seconds=LOADING_S).checked()
        _play(net, net.director.ipvsadm, {"gre with checksum": lambda: _build_gre(net, server, "icsum")})


def _build_devices(net: Routed, server: Host) -> None:
    run(["ip", "netns", "exec", server.name, "ip", "fou", "add", "port", str(GUE_PORT), "gue"]).checked()
    net.network.configure(
        server,
        f"link add ipip1 type ipip local {FAR.four(11)} remote any",
        "link set ipip1 up",
        f"address add {net.vip}/32 dev lo",
    )
    for name in ("all", "ipip1"):
        server.set_sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)
    _build_gre(net, server)


def _build_gre(net: Routed, server: Host, *options: str) -> None:
    """A device takes packets with checksum (icsum), or those without."""
    server.run("ip", "link", "delete", "gre1")
    net.network.configure(
        server, f"link add gre1 type gre local {FAR.four(11)} remote any {' '.join(options)}", "link set gre1 up"
    )
    server.set_sysctl("net.ipv4.conf.gre1.rp_filter", 0)


def play_ipvs() -> None:
    """BPVS's agent takes what the kernel's IPVS sends."""
    run(["modprobe", "ip_vs"]).checked()
    with remote() as net:

        def ipvsadm(*arguments: str) -> object:
            return net.director.run("/usr/sbin/ipvsadm", *arguments).checked()

        ipvsadm("-A", "-t", f"{net.vip}:{PORT}", "-s", "rr")
        _play(net, ipvsadm)


def _play(net: Routed, ipvsadm: Callable[..., object], prepare: Mapping[str, Callable[[], None]] = _NOTHING) -> None:
    """`prepare`: what is to be done before a kind's turn."""
    net.servers[0].serve("one", PORT)
    command = "-a"
    for name, options in KINDS.items():
        prepare.get(name, lambda: None)()
        ipvsadm(command, "-t", f"{net.vip}:{PORT}", "-r", f"{net.addresses[0]}:{PORT}", *options.split())
        command = "-e"
        answer = net.client.curl("-m", "60", f"http://{net.vip}:{PORT}/", seconds=90)
        told = answer.out.strip() or answer.err.strip()
        print(f"{name}: {told}, {_upload(net)}, {_refused(net.servers[0])} refused", flush=True)


def _refused(server: Host) -> int:
    """Packets that the server's devices have dropped for what is in them."""
    lines = server.run("cat", "/proc/net/dev").checked().out.splitlines()[2:]
    return sum(int(line.partition(":")[2].split()[2]) for line in lines)


def _upload(net: Routed) -> str:
    """Sends a body that fills segments; says "whole" if the server has got all of it."""
    body = "x" * UPLOAD_BYTES
    answer = net.client.run(
        *("curl", "-q", "-sS", "-m", "100", "--data-binary", "@-", f"http://{net.vip}:{PORT}/"),
        stdin=body,
        seconds=120,
    )
    right = f"{hashlib.sha256(body.encode()).hexdigest()} {UPLOAD_BYTES}"
    return "whole" if answer.out.strip() == right else answer.out + answer.err


if __name__ == "__main__":
    {"device": play_devices, "ipvs": play_ipvs}[sys.argv[1]]()
