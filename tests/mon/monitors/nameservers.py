# SPDX-License-Identifier: GPL-2.0-or-later
"""Name servers for monitors to ask, each on an address of its own and one port, UDP and TCP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from dns.message import Message

from tests.mon.monitors.servers import serving

# (question, whether it came by TCP) -> the answer; bytes as they are; None: silence
Answer = Callable[[Message, bool], Message | bytes | None]


def zone(*records: str, is_authoritative: bool = True) -> Answer:
    """Answers from records like `example.org. SOA ...`; NXDOMAIN for names that none of them has."""

    def answer(question: Message, is_tcp: bool) -> Message:
        made = dns.message.make_response(question)
        made.flags |= dns.flags.AA if is_authoritative else 0
        wanted = question.question[0]
        names = {line.split()[0] for line in records}
        for line in records:
            owner, kind, data = line.split(" ", 2)
            if owner == wanted.name.to_text() and kind == dns.rdatatype.to_text(wanted.rdtype):
                made.answer.append(dns.rrset.from_text(owner, 60, "IN", kind, *data.split(" | ")))
        if wanted.name.to_text() not in names:
            made.set_rcode(dns.rcode.NXDOMAIN)
        return made

    return answer


def soa(serial: int, owner: str = "example.org.") -> str:
    return f"{owner} SOA ns.{owner} admin.{owner} {serial} 3600 600 86400 60"


def saying(code: str) -> Answer:
    """The same error for every question."""

    def answer(question: Message, is_tcp: bool) -> Message:
        made = dns.message.make_response(question)
        made.set_rcode(dns.rcode.from_text(code))
        return made

    return answer


def silent(question: Message, is_tcp: bool) -> None:
    """Reads and keeps to itself."""


@contextmanager
def name_servers(answers: Mapping[str, Answer]) -> Iterator[int]:
    """The port of all these servers, by address."""
    with ExitStack() as stack:
        first, *others = answers
        port = stack.enter_context(serving(partial(_by_tcp, answers[first]), first))
        for other in others:
            stack.enter_context(serving(partial(_by_tcp, answers[other]), other, port=port))
        for address in answers:
            stack.enter_context(_by_udp(address, port, answers[address]))
        yield port


@contextmanager
def _by_udp(address: str, port: int, answer: Answer) -> Iterator[None]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, port))
        thread = threading.Thread(target=_serve, args=(server, answer))
        thread.start()
        try:
            yield
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)  # wakes recvfrom, though it says ENOTCONN
            thread.join(10)


def _serve(server: socket.socket, answer: Answer) -> None:
    while True:
        data, client = server.recvfrom(4096)
        if not client:
            return
        made = answer(dns.message.from_wire(data), False)
        if made is not None:
            server.sendto(made if isinstance(made, bytes) else made.to_wire(), client)


def _by_tcp(answer: Answer, connection: socket.socket) -> None:
    size = int.from_bytes(connection.recv(2, socket.MSG_WAITALL), "big")
    made = answer(dns.message.from_wire(connection.recv(size, socket.MSG_WAITALL)), True)
    if made is None:
        connection.recv(1)
    else:
        connection.sendall(made if isinstance(made, bytes) else made.to_wire(prepend_length=True))
