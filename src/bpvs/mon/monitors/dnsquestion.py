# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks a name server one question, by UDP or TCP (RFC 1035), on the way that the options ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from bpvs.mon.monitors.datagram import open_datagram
from bpvs.mon.monitors.options import Common, flag, option, port, positive, seconds
from bpvs.mon.monitors.stream import connect
from bpvs.mon.monitors.verdict import Sick

if TYPE_CHECKING:
    from dns.message import Message
    from dns.name import Name
    from dns.rdatatype import RdataType

    from bpvs.mon.monitors.verdict import Stopwatch


def name(text: str) -> Name:
    """A name of the DNS, absolute."""
    try:
        return dns.name.from_text(text)
    except (dns.exception.DNSException, UnicodeError):
        raise ValueError(f"{text!r} is no name of the DNS") from None


@dataclass(frozen=True)
class Resolving(Common):
    """The options of monitors that ask name servers."""

    port: int = option("-p --port", port, 53)
    tcp: bool = flag("-tcp")
    retry: int = option("-retry", positive, 2)  # times that a question is asked
    retransmit: float = option("-retransmit", seconds, 5.0)  # seconds between them


async def ask(
    server: str, wanted: Name, kind: RdataType, options: Resolving, watch: Stopwatch, *, is_recursive: bool
) -> Message:
    """The answer without an error; Sick for none, and for one with an error. A long one is asked for again by TCP."""
    question = dns.message.make_query(wanted, kind, flags=dns.flags.RD if is_recursive else 0)
    if options.tcp:
        answer = await _by_tcp(server, question, options, watch)
    else:
        answer = await _by_udp(server, question, options, watch)
        if answer.flags & dns.flags.TC:
            answer = await _by_tcp(server, question, options, watch)
    if answer.rcode() != dns.rcode.NOERROR:
        raise Sick(f"{about(wanted, kind)}: {dns.rcode.to_text(answer.rcode())}")
    return answer


def about(wanted: Name, kind: RdataType) -> str:
    """The question for a line of text."""
    return f"{wanted.to_text(omit_final_dot=True)} {dns.rdatatype.to_text(kind)}"


async def _by_udp(server: str, question: Message, options: Resolving, watch: Stopwatch) -> Message:
    def accept(data: bytes) -> Message | None:
        answer = _read(data)
        return answer if question.is_response(answer) else None

    with await open_datagram(server, options.port, options, watch) as datagram:
        watch.begin("answer")
        return await datagram.ask(question.to_wire(), accept, options.retransmit, options.retry)


async def _by_tcp(server: str, question: Message, options: Resolving, watch: Stopwatch) -> Message:
    with await connect(server, options.port, options, watch) as stream:
        watch.begin("answer")
        await stream.send(question.to_wire(prepend_length=True))
        size = int.from_bytes(await stream.exactly(2), "big")
        answer = _read(await stream.exactly(size))
    if not question.is_response(answer):
        raise Sick("its answer is to another question")
    return answer


def _read(data: bytes) -> Message:
    try:
        return dns.message.from_wire(data, ignore_trailing=True, raise_on_truncation=False)
    except (dns.exception.DNSException, ValueError):
        raise Sick("no DNS answer: it cannot be read") from None
