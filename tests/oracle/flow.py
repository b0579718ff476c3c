# SPDX-License-Identifier: GPL-2.0-or-later
"""One client's conversation with a virtual address, packet by packet."""

from __future__ import annotations

from collections.abc import Sequence

from tests.oracle import wire
from tests.oracle.play import Play
from tests.oracle.stage import EXT, INT, ROUTER, Sending, Sighting, server_mac
from tests.oracle.wire import Packet

_METHODS = {wire.IPIP: "ipip", wire.IP6: "ipip", wire.GRE: "gre"}


class Flow:
    """What a client sends from one port to one virtual port, and what the server that got it answers."""

    def __init__(
        self,
        play: Play,
        client: int,
        port: int,
        virtual: int = 80,
        *,
        six: bool = False,
        vip: str = "",
        kind: str = "tcp",
    ) -> None:
        self.play = play
        self.kind = kind
        self.client = play.client(client, six)
        self.port = port
        self.vip = vip or (play.vip6 if six else play.vip)
        self.virtual = virtual
        self.server = 0
        self.target, self.target_port = "", 0
        self.by_director = False  # so do replies of other servers

    def body(self, source: str, target: str, ports: tuple[int, int], what: str) -> bytes:
        if self.kind == "tcp":
            return wire.ip(source, target, wire.TCP, wire.tcp(source, target, ports, what))
        if self.kind == "udp":
            return wire.ip(source, target, wire.UDP, wire.udp(source, target, ports, what.encode()))
        return wire.ip(source, target, wire.SCTP, wire.sctp(ports, *what.split("+")))

    def ask(self, what: str = "S") -> str:
        """A packet of the client: flags of TCP, chunks of SCTP joined by +, data of UDP. Says where it went."""
        return self.read_ask(self.play.stage.send([self.asking(what)]))

    def asking(self, what: str) -> Sending:
        return Sending(EXT, self.body(self.client, self.vip, (self.port, self.virtual), what), ROUTER)

    def answer(self, what: str = "SA") -> str:
        """A packet of the server that got the last one; "c" if it came to the client as from the virtual address."""
        if not self.replies:
            return self.unheard
        return self.read_answer(self.play.stage.send([self.answering(what)]))

    @property
    def replies(self) -> bool:
        """Whether a reply comes by the director: of servers behind NAT."""
        return bool(self.server) and (self.target != self.vip or self.by_director)

    @property
    def unheard(self) -> str:
        return "past" if self.server else "no server"

    def answering(self, what: str) -> Sending:
        packet = self.body(self.target, self.client, (self.target_port, self.port), what)
        return Sending(INT, packet, server_mac(self.server))

    def read_answer(self, seen: list[Sighting]) -> str:
        """What `answer` says."""
        return "c" if len(seen) == 1 and self._is_reply(seen[0]) else self.play.told(seen)

    def _is_reply(self, one: Sighting) -> bool:
        packet = one.packet
        ends = (packet.source, packet.target) == (self.vip, self.client)
        right = ends and packet.has_ports and packet.ports == (self.virtual, self.port)
        return one.wire == EXT and right and packet.sum_is_right()

    def open(self) -> str:
        """A handshake; where it went."""
        label = self.ask("S")
        if self.server:
            self.answer("SA")
            self.ask("A")
        return label

    def close(self) -> None:
        """FIN of the client, then of the server: TIME_WAIT."""
        if self.server:
            self.ask("FA")
            self.answer("FA")
            self.ask("A")

    def read_ask(self, seen: list[Sighting]) -> str:
        """What `ask` says: the server; with the port if it is another, the method if not NAT: `s3:8080`, `s3/dr`."""
        if len(seen) != 1 or not self.play.station(seen[0]).startswith("s"):
            return self._other(seen)
        station, packet = self.play.station(seen[0]), seen[0].packet
        inner = packet.inner()
        method = "/" + _METHODS.get(packet.protocol, "gue") if inner else ""
        if not inner and packet.target == self.vip:
            method = "/dr"
        last = inner or packet
        self._note_server(station, last)
        port = f":{last.ports[1]}" if last.ports[1] != self.virtual else ""
        number = int(station[1:])
        is_right = packet.target in {self.vip, self.play.server(number), self.play.server(number, six=True)}
        wrong = "" if is_right and last.sum_is_right() else "?!"
        return f"{station}{port}{method}{wrong}"

    def _note_server(self, station: str, packet: Packet) -> None:
        self.server = int(station[1:])
        self.target, self.target_port = packet.target, packet.ports[1]

    def _other(self, seen: list[Sighting]) -> str:
        """No server: the refusals that clients know, in short."""
        self.server = 0
        if not seen:
            return "-"
        told = self.play.told(seen)
        if len(seen) == 1 and seen[0].wire == EXT and seen[0].packet.source == self.vip:
            packet = seen[0].packet
            if packet.protocol in {wire.ICMP, wire.ICMP6} and packet.body[:2] in {b"\3\3", b"\1\4"}:
                return "refused"
            if packet.protocol == wire.TCP and packet.body[13] & 4:
                return "reset"
        return told


def together(play: Play, steps: Sequence[tuple[Flow, str]]) -> list[str]:
    """Steps of different conversations, one packet behind the other, and what `ask` or `answer` would say of each.

    A step with `s` in front is the server's. Packets are told apart by the client's port.
    """
    sendings, answered = [], [what.startswith("s") and flow.kind != "udp" for flow, what in steps]
    for (flow, what), is_answer in zip(steps, answered, strict=True):
        if is_answer and flow.replies:
            sendings.append(flow.answering(what[1:]))
        elif not is_answer:
            sendings.append(flow.asking(what))
    seen: dict[int, list[Sighting]] = {flow.port: [] for flow, _ in steps}
    assert len(seen) == len(steps), "two steps at once are of conversations with the same client port"
    for one in play.stage.send(sendings):
        seen[next(port for port in _ports(one.packet) if port in seen)].append(one)
    labels = []
    for (flow, _), is_answer in zip(steps, answered, strict=True):
        found = seen[flow.port]
        if is_answer:
            labels.append(flow.read_answer(found) if flow.replies else flow.unheard)
        else:
            labels.append(flow.read_ask(found))
    return labels


def opened(play: Play, flows: Sequence[Flow]) -> list[str]:
    """Handshakes, all SYNs first; where they went."""
    labels = together(play, [(flow, "S") for flow in flows])
    served = [flow for flow in flows if flow.server]
    together(play, [(flow, "sSA") for flow in served])
    together(play, [(flow, "A") for flow in served])
    return labels


def closed(play: Play, flows: Sequence[Flow]) -> None:
    """FIN of every client, then of every server: TIME_WAIT."""
    for what in ("FA", "sFA", "A"):
        together(play, [(flow, what) for flow in flows if flow.server])


def _ports(packet: Packet) -> tuple[int, ...]:
    inner = packet.inner()
    return (inner or packet).ports
