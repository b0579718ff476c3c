# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections behind SYNPROXY, step by step, with the segments that the director makes itself."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from scapy.layers.inet import TCP
from scapy.layers.l2 import Ether

from bpvs.model import Method, VirtualService
from tests.packets.cookies import Offer
from tests.packets.frames import CLIENT, CLIENT6, Flow, Path, Shape, frame, localised
from tests.packets.rig import Action, Hook, Rig, loaded, mac

NAT4 = Path(CLIENT, "10.0.0.180", 80, "10.2.0.15", 8080)
NAT6 = Path(CLIENT6, "fd00::180", 80, "fd02::15", 8080)
FULLNAT4 = replace(NAT4, virtual_port=81, method=Method.FULLNAT, local="10.2.0.211")
FULLNAT6 = replace(NAT6, virtual_port=81, method=Method.FULLNAT, local="fd02::211")
PATHS = {"NAT, IPv4": NAT4, "NAT, IPv6": NAT6, "FullNAT, IPv4": FULLNAT4, "FullNAT, IPv6": FULLNAT6}

ISN, SERVER_ISN = 0xFFFFFFF0, 0x12345678
LINUX = Offer()
TOLD_SCALE = 7  # what the director tells clients
CLIENT_WINDOW = 502
CONFIRMED_WINDOW = 0x1000
_ETH_P_ALL = 3
_NUMBER = 1 << 32


def guard(rig: Rig, *paths: Path, repeats: bool = False) -> None:
    """Make the table hold these paths' services and servers, all with SYNPROXY.

    Unless it `repeats`, no SYN waits in the siding: one that is sent again would show up in the counts of others.
    """
    with rig.change() as table:
        table.clear()
        for path in paths:
            key, server = path.row
            table.add_service(VirtualService(key, "rr", synproxy=True))
            table.add_server(key, server)
            for _, address in path.locals:
                table.add_local(key, address)
    if not repeats:
        loaded().settings.store(0, "siding_wait", 0)


def told(path: Path, offer: Offer) -> Offer:
    """What a client that made this offer is told in turn: room for TOA, and a scale if it knows scales."""
    return Offer(1420 if path.is_ipv6 else 1452, None if offer.scale is None else TOLD_SCALE, offer.sack)


def own(path: Path, flags: str, **transport: Any) -> Shape:
    """A segment of the director's own making."""
    return Shape(flags=flags, ttl=64, ip={} if path.is_ipv6 else {"flags": "DF", "id": 0}, transport=transport)


def to_client(flow: Flow, shape: Shape) -> bytes:
    """It on its way to the client."""
    path = flow.path
    return frame(mac(1, 1), mac(1, 2), flow.packet(shape, path.virtual, path.virtual_port, path.client, flow.port))


def to_server(flow: Flow, shape: Shape) -> bytes:
    """It on its way to the server."""
    return frame(mac(flow.path.link, 1), flow.path.server_mac, flow.packet(shape, *flow.at_server))


def offering(offer: Offer, isn: int = ISN) -> Shape:
    """A client's SYN."""
    return Shape(transport={"seq": isn, "window": 64240, "options": offer.options})


def greeting(flow: Flow, offer: Offer, cookie: int, isn: int = ISN) -> bytes:
    """The director's answer to a SYN."""
    options = told(flow.path, offer).own_options
    after = (isn + 1) % _NUMBER
    return to_client(flow, own(flow.path, "SA", seq=cookie, ack=after, window=0, options=options))


def greeted(rig: Rig, hook: Hook, flow: Flow, offer: Offer, isn: int = ISN) -> int:
    """The cookie in the answer to a client's SYN."""
    run = rig.run(hook, flow.request(offering(offer, isn)))
    assert (run.is_forwarded, run.verdicts) == (True, {"ANSWER_COOKIE": 1})
    number: int = Ether(run.frame)[TCP].seq
    return number


@dataclass(frozen=True, slots=True)
class Proxied:
    """A connection whose client has brought its cookie; `frame`: the last that a run showed.

    The flow's local end is known. `shift`: what the client's numbers of the server are ahead of the server's own.
    """

    flow: Flow
    offer: Offer
    cookie: int
    frame: bytes
    isn: int = ISN
    server_isn: int = SERVER_ISN

    @property
    def path(self) -> Path:
        return self.flow.path

    @property
    def shift(self) -> int:
        return (self.cookie - self.server_isn) % _NUMBER

    def ack(self, **transport: Any) -> Shape:
        """The client's ACK that brings the cookie; `transport`: what is otherwise."""
        numbers = {"seq": (self.isn + 1) % _NUMBER, "ack": (self.cookie + 1) % _NUMBER, "window": CLIENT_WINDOW}
        return Shape(flags="A", transport=numbers | transport)

    def accepting(self, offer: Offer = LINUX, flags: str = "SA", **transport: Any) -> Shape:
        """The server's SYN, ACK."""
        numbers = {"seq": self.server_isn, "ack": (self.isn + 1) % _NUMBER, "window": 65160}
        return Shape(flags=flags, transport=numbers | {"options": offer.options} | transport)

    def confirming(self, window: int) -> bytes:
        """The director's ACK for it, in place of the client; it tells a server of FullNAT the client's address."""
        options = [self.flow.toa] if self.path.method is Method.FULLNAT else []
        numbers = {"seq": (self.isn + 1) % _NUMBER, "ack": (self.server_isn + 1) % _NUMBER}
        return to_server(self.flow, own(self.path, "A", window=window, options=options, **numbers))

    def telling(self, flags: str, window: int = 0) -> bytes:
        """What the director tells the client when the server has answered."""
        numbers = {"seq": (self.cookie + 1) % _NUMBER, "ack": (self.isn + 1) % _NUMBER}
        return to_client(self.flow, own(self.path, flags, window=window, **numbers))


def pending(
    rig: Rig, hook: Hook, path: Path, offer: Offer = LINUX, isn: int = ISN, window: int = CLIENT_WINDOW
) -> Proxied:
    """The server has been sent a SYN. The client's SYN is answered at that hook; its ACK told that window."""
    flow = Flow(path, rig.port())
    made = Proxied(flow, offer, greeted(rig, hook, flow, offer, isn), b"", isn)
    run = rig.run(Hook.TC, flow.request(made.ack(window=window)))
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    if path.method is Method.FULLNAT:
        flow = localised(flow, run.frame)
    return replace(made, flow=flow, frame=run.frame)


def established(
    rig: Rig, hook: Hook, path: Path, offer: Offer = LINUX, answer: Offer = LINUX, server_isn: int = SERVER_ISN
) -> Proxied:
    """The server has accepted, offering `answer`."""
    made = replace(pending(rig, hook, path, offer), server_isn=server_isn)
    run = rig.run(Hook.TC, made.flow.reply(made.accepting(answer)), "back")
    assert (run.action, run.verdicts) == (Action.REDIRECT, {"ANSWER_SERVER": 1})
    return replace(made, frame=run.frame)


@contextmanager
def captured(link: str) -> Iterator[socket.socket]:
    """What arrives at the far end of a link: the copies that a run really sends; the caller is in the namespace."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL)) as made:
        made.bind((f"{link}-far", _ETH_P_ALL))
        yield made


def arrived(far: socket.socket, flow: Flow, seconds: float = 5.0) -> bytes:
    """The next frame of the flow to its server."""
    return _next(far, flow.at_server, seconds)


def arrived_back(far: socket.socket, flow: Flow, seconds: float = 5.0) -> bytes:
    """The next frame of the flow to its client."""
    path = flow.path
    return _next(far, (path.virtual, path.virtual_port, path.client, flow.port), seconds)


def _next(far: socket.socket, ends: tuple[str, int, str, int], seconds: float) -> bytes:
    src, sport, dst, dport = ends
    while select.select([far], [], [], seconds)[0]:
        content = far.recv(4096)
        packet = Ether(content)
        if TCP in packet and (packet.payload.src, packet[TCP].sport, packet.payload.dst, packet[TCP].dport) == (
            src,
            sport,
            dst,
            dport,
        ):
            return content
    raise TimeoutError(f"nothing arrived of {ends}")
