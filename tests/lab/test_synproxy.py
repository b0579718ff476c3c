# SPDX-License-Identifier: GPL-2.0-or-later
"""SYNPROXY between real stacks: nobody notices it who is honest, and no server hears of anybody else."""

from __future__ import annotations

import hashlib
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from itertools import product

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from bpvs.director import Director
from bpvs.lab import offload
from bpvs.lab.host import Host
from bpvs.lab.wait import until
from bpvs.lab.webserver import blocks, checksum
from bpvs.net.links import links
from tests.lab.balancing import Balanced, balanced, text
from tests.lab.guarded import ask, connected, counter, guard, line_of, passed, talk, wire_rules
from tests.lab.talker import GREETING, SACK_AND_SCALE, negotiated, offered_window

pytestmark = pytest.mark.root

PORT, CLOSED, FULL, EDITED = 7000, 7001, 7002, 7003
SIZE, LOSSY_SIZE = 8 << 20, 2 << 20
FLOOD = 20_000  # SYNs, of which XDP answers nearly all; a tenth of it where TC does
FORGED = 2_000  # of 4 million one would be believed
AT_ONCE = 0.2  # seconds; a retransmission would take 0.2 of Linux's minimum, and of a SYN 1


SITES = [*product(("nat", "fullnat"), ("ipv4", "ipv6"), ("tc",)), ("nat", "ipv4", "xdp"), ("fullnat", "ipv6", "xdp")]


@pytest.fixture(scope="module", params=SITES, ids=" ".join)
def site(request: pytest.FixtureRequest) -> Iterator[Balanced]:
    with balanced(*request.param) as made:
        talk(made, [PORT, FULL, EDITED])
        guard(made, [PORT, CLOSED, FULL, EDITED])
        for host in (made.net.client, made.net.servers[0]):
            host.set_sysctl("net.ipv4.tcp_rmem", "4096 4194304 6291456")  # windows that need a scale from the first
        yield made


def verdict(site: Balanced, name: str) -> int:
    with site.net.director.inside():
        return Director().verdicts()[name]


def get(connection: socket.socket, size: int) -> str:
    """The SHA-256 of what came."""
    connection.sendall(f"get {size}\n".encode())
    digest = hashlib.sha256()
    while size:
        piece = connection.recv(min(size, 1 << 16))
        assert piece
        digest.update(piece)
        size -= len(piece)
    return digest.hexdigest()


def put(connection: socket.socket, size: int) -> str:
    connection.sendall(f"put {size}\n".encode())
    for block in blocks(size):
        connection.sendall(block)
    return line_of(connection).decode().strip()


def test_first_words_come_at_once_from_either_side(site: Balanced) -> None:
    """No packet is sent twice for it."""
    hosts = (site.net.client, site.net.servers[0])
    before = [counter(host, "RetransSegs") for host in hosts]
    times = []
    for is_eager in (False, True) * 5:
        begin = time.monotonic()
        with connected(site, PORT) as one:
            if is_eager:
                one.sendall(b"hello\n")
            assert line_of(one) == GREETING
            assert (line_of(one) if is_eager else ask(one, "hello").encode() + b"\n") == b"hello\n"
        times.append(time.monotonic() - begin)
    assert sorted(times)[len(times) // 2] < AT_ONCE
    assert [counter(host, "RetransSegs") for host in hosts] == before


def test_nothing_is_sent_twice(site: Balanced) -> None:
    """On the wire: of each connection one SYN and one cookie, one SYN to the server, each side's words once."""
    repeats = [verdict(site, name) for name in ("HOLD_COOKIE", "HOLD_SYN", "DROP_HANDSHAKE")]
    to, back = (f"ip {way} {site.vip} tcp {port} {PORT}" for way, port in (("daddr", "dport"), ("saddr", "sport")))
    server = f"ip daddr {site.servers[0]} tcp dport {PORT}"
    rules = [
        f"{end} tcp flags & (syn | ack | rst | psh) == {flags} counter"
        for end in (to, back, server)
        for flags in ("syn", "syn | ack", "ack | psh", "rst")
    ]
    with wire_rules(site, *rules):
        for is_eager in (False, True) * 3:
            with connected(site, PORT) as one:
                if is_eager:
                    one.sendall(b"hello\n")
                assert line_of(one) == GREETING
                assert (line_of(one) if is_eager else ask(one, "hello").encode() + b"\n") == b"hello\n"
        seen = passed(site)
    times = 6 * (1 if site.kind.option == "-m" else 2)  # the router's switch port sees FullNAT's packets too
    assert seen == [*(times, 0, times, 0), *(0, times, 2 * times, 0), *(times, 0, times, 0)]
    assert [verdict(site, name) for name in ("HOLD_COOKIE", "HOLD_SYN", "DROP_HANDSHAKE")] == repeats


def test_transfers_arrive_unchanged_through_scaled_windows(site: Balanced) -> None:
    with connected(site, PORT) as one:
        assert line_of(one) == GREETING
        assert negotiated(one) & SACK_AND_SCALE == SACK_AND_SCALE
        assert get(one, SIZE) == checksum(SIZE)
        assert put(one, SIZE) == checksum(SIZE)
        assert int(ask(one, "window")) > 0xFFFF
        assert offered_window(one) > 0xFFFF


def test_transfers_through_loss(site: Balanced) -> None:
    """Selective acknowledgements name the holes in the sender's own numbers, or it would not use them."""
    hosts = (site.net.client, site.net.servers[0])
    before = [counter(host, "TCPSackRecovery", "netstat", "TcpExt") for host in hosts]
    rule = "meta l4proto tcp numgen random mod 100 < 2 counter drop"
    with unmerged(site, *hosts), connected(site, PORT, 30) as one, wire_rules(site, rule):
        assert line_of(one) == GREETING
        assert get(one, LOSSY_SIZE) == checksum(LOSSY_SIZE)
        assert put(one, LOSSY_SIZE) == checksum(LOSSY_SIZE)
    after = [counter(host, "TCPSackRecovery", "netstat", "TcpExt") for host in hosts]
    assert all(new > old for new, old in zip(after, before, strict=True))


@contextmanager
def unmerged(site: Balanced, *hosts: Host) -> Iterator[None]:
    """Each packet goes by itself, and may get lost; in networks for XDP that is always so."""
    switched = [] if has_xdp(site) else hosts
    for host in switched:
        with host.inside():
            offload.set_transmit_checksum("eth0", enabled=False)
    yield
    for host in switched:
        with host.inside():
            offload.set_transmit_checksum("eth0", enabled=True)


def has_xdp(site: Balanced) -> bool:
    with site.net.director.inside():
        return any(link.xdp_mode == "native" for link in links())


def test_a_client_without_options_is_served(site: Balanced) -> None:
    for name in ("tcp_window_scaling", "tcp_sack", "tcp_timestamps"):
        site.net.client.set_sysctl(f"net.ipv4.{name}", 0)
    try:
        with connected(site, PORT) as one:
            assert negotiated(one) & SACK_AND_SCALE == 0
            assert line_of(one) == GREETING
            assert get(one, SIZE // 8) == checksum(SIZE // 8)
            assert put(one, SIZE // 8) == checksum(SIZE // 8)
    finally:
        for name in ("tcp_window_scaling", "tcp_sack", "tcp_timestamps"):
            site.net.client.set_sysctl(f"net.ipv4.{name}", 1)


def test_a_server_that_does_not_scale(site: Balanced) -> None:
    """The client was told another thing: its windows and the server's are translated."""
    server = site.net.servers[0]
    server.set_sysctl("net.ipv4.tcp_window_scaling", 0)
    try:
        with connected(site, PORT) as one:
            assert line_of(one) == GREETING
            assert get(one, SIZE // 8) == checksum(SIZE // 8)
            assert put(one, SIZE // 8) == checksum(SIZE // 8)
            assert 0x8000 < int(ask(one, "window")) <= 0xFFFF
            assert 0x4000 < offered_window(one) <= 0xFFFF
    finally:
        server.set_sysctl("net.ipv4.tcp_window_scaling", 1)


def test_a_closed_port_is_told_at_once(site: Balanced) -> None:
    """The client is connected already, so it is a reset instead of a refusal."""
    begin = time.monotonic()
    with pytest.raises(ConnectionResetError), connected(site, CLOSED) as one:  # perhaps before connect() is back
        one.recv(1)
    assert time.monotonic() - begin < 1


def test_a_client_that_gets_no_server_is_told_at_once(site: Balanced) -> None:
    """All servers are full, which nobody knew when the cookie was sent."""
    server = text(site.servers[0])
    words = ("-e", "-t", f"{text(site.vip)}:{FULL}", "-r", f"{server}:{FULL}", site.kind.option, "-x", "1")
    site.net.director.ipvsadm(*words).checked()
    with connected(site, FULL) as first:
        assert line_of(first) == GREETING
        begin = time.monotonic()
        with pytest.raises(ConnectionResetError), connected(site, FULL) as second:
            second.recv(1)
        assert time.monotonic() - begin < 1
        assert ask(first, "hello") == "hello"


def test_switched_off_and_on_while_connections_stand(site: Balanced) -> None:
    """Each goes on as it began."""
    edit = ("-E", "-t", f"{text(site.vip)}:{EDITED}", "-s", "rr")
    with connected(site, EDITED) as proxied:
        assert line_of(proxied) == GREETING
        site.net.director.ipvsadm(*edit, "-j", "disable").checked()
        cookies = verdict(site, "ANSWER_COOKIE")
        with connected(site, EDITED) as plain:
            assert line_of(plain) == GREETING
            assert verdict(site, "ANSWER_COOKIE") == cookies
            assert get(proxied, LOSSY_SIZE) == checksum(LOSSY_SIZE)
            site.net.director.ipvsadm(*edit, "-j", "enable").checked()
            with connected(site, EDITED) as again:
                assert line_of(again) == GREETING
            assert verdict(site, "ANSWER_COOKIE") == cookies + 1
            assert put(proxied, LOSSY_SIZE) == put(plain, LOSSY_SIZE) == checksum(LOSSY_SIZE)


def frames(site: Balanced, flags: str, count: int) -> Iterator[bytes]:
    """Packets of many sources to the service, with right checksums: what the address adds a port or an ID takes off."""
    client = site.net.client
    with client.inside():
        own = next(link for link in links() if link.name == "eth0").mac.hex()
    station = site.vip if site.kind.option == "-m" else gateway(site)
    director = client.run("ip", "neigh", "show", "to", station).checked().out.split()[4]
    head = bytes.fromhex(director.replace(":", "") + own) + (b"\x86\xdd" if site.is_ipv6 else b"\x08\x00")
    source = "2001:db8:77::" if site.is_ipv6 else "198.18.0.0"
    tcp = TCP(sport=0xFFFF, dport=PORT, flags=flags, seq=1, ack=0 if flags == "S" else 2)
    ip = IPv6(src=source, dst=site.vip) if site.is_ipv6 else IP(src=source, dst=site.vip, id=0xFFFF)
    content = bytearray(bytes(ip / tcp))
    address_at, port_at = (22, 40) if site.is_ipv6 else (14, 20)
    for number in range(count):
        struct.pack_into("!H", content, address_at, number)
        struct.pack_into("!H", content, port_at, 0xFFFF - number)
        if not site.is_ipv6:
            struct.pack_into("!H", content, 4, 0xFFFF - number)
        yield head + content


def gateway(site: Balanced) -> str:
    return "fd09::1" if site.is_ipv6 else "10.9.0.1"


def flood(site: Balanced, flags: str, count: int) -> float:
    """Seconds that it took until the director had counted the last of them."""
    begin = time.monotonic()
    name = "ANSWER_COOKIE" if flags == "S" else "ANSWER_RESET"
    before = verdict(site, name)
    with site.net.client.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("eth0", 0))
        for number, frame in enumerate(frames(site, flags, count)):
            raw.send(frame)
            if number % 500 == 499:  # no faster than the director works, or queues in between would overflow
                until(lambda: verdict(site, name) >= before + number + 1, "the director to keep up")  # noqa: B023
    return time.monotonic() - begin


def quiet(site: Balanced) -> None:
    with connected(site, PORT) as one:
        assert ask(one, "hello") == GREETING.decode().strip()
    until(lambda: not open_connections(site), "the connection to be over")


def open_connections(site: Balanced) -> list[str]:
    return [row.client for row in site.connections() if row.state not in ("TIME_WAIT", "CLOSE")]


def test_a_flood_of_syns_reaches_no_server(site: Balanced) -> None:
    quiet(site)
    rows, segments = len(site.connections()), counter(site.net.servers[0], "InSegs")
    flood(site, "S", FLOOD if has_xdp(site) else FLOOD // 10)
    assert counter(site.net.servers[0], "InSegs") == segments
    assert len(site.connections()) <= rows
    quiet(site)


def test_a_flood_of_wrong_cookies_reaches_no_server(site: Balanced) -> None:
    """It is answered by resets, no more than a thousand a second."""
    quiet(site)
    rows, segments = len(site.connections()), counter(site.net.servers[0], "InSegs")
    with wire_rules(site, f"tcp sport {PORT} tcp flags & rst == rst counter"):
        took = flood(site, "A", FORGED)
        resets = passed(site)[0]
    hops = 1 if site.kind.option == "-m" else 2  # the router's switch port sees them too
    assert 0 < resets <= 1000 * hops * (int(took) + 2)
    assert counter(site.net.servers[0], "InSegs") == segments
    assert len(site.connections()) <= rows
    quiet(site)


def test_no_storm_of_acknowledgements(site: Balanced) -> None:
    """After segments with wrong numbers on both sides each stack says once what it expects, and that is all."""
    with connected(site, PORT) as one:
        assert line_of(one) == GREETING
        own = one.getsockname()
        (row,) = [row for row in site.connections() if row.client.endswith(f":{own[1]}")]
        assert row.state == "ESTABLISHED"
        # cookies of the floods before may be sent again
        rules = [f"tcp {port} {PORT} tcp flags & syn == 0 counter" for port in ("sport", "dport")]
        with wire_rules(site, *rules):
            for seq, ack in ((1, 1), (1 << 31, 1), (1, 1 << 31), (0xFFFFFFFF, 0xFFFFFFFF)):
                inject(site, own[1], seq, ack)
            seen = until(lambda: settled(site), "traffic to settle")
        assert sum(seen) < 100
        assert ask(one, "hello") == "hello"


def settled(site: Balanced) -> list[int]:
    """The counts, if they have stood still for half a second."""
    before = passed(site)
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        if passed(site) != before:
            return []
    return before


def inject(site: Balanced, port: int, seq: int, ack: int) -> None:
    """An ACK with these numbers from the client's address to the service, and one back from the server's side."""
    client, server = site.net.client, site.net.servers[0]
    there = IPv6(src=site.client, dst=site.vip) if site.is_ipv6 else IP(src=site.client, dst=site.vip)
    send_raw(site, client, bytes(there / TCP(sport=port, dport=PORT, flags="A", seq=seq, ack=ack)))
    peer, peer_port = peer_of(site)
    back = IPv6(src=site.servers[0], dst=peer) if site.is_ipv6 else IP(src=site.servers[0], dst=peer)
    send_raw(site, server, bytes(back / TCP(sport=PORT, dport=peer_port, flags="A", seq=seq, ack=ack)))


def send_raw(site: Balanced, host: Host, packet: bytes) -> None:
    at, size = (24, 16) if site.is_ipv6 else (16, 4)
    with host.inside(), socket.socket(site.family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(packet, (str(ip_address(packet[at : at + size])), 0))


def peer_of(site: Balanced) -> tuple[str, int]:
    """The client of the server's only open connection, as the server knows it."""
    listed = site.net.servers[0].run("ss", "-Htn", "state", "established", f"( sport = :{PORT} )").checked().out
    address, _, port = listed.split()[3].rpartition(":")
    return address.strip("[]").removeprefix("::ffff:"), int(port)
