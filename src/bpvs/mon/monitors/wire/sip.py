# SPDX-License-Identifier: GPL-2.0-or-later
"""SIP's OPTIONS request and the head of an answer (RFC 3261, sections 7, 8.1.1 and 11)."""

from __future__ import annotations

import re
from typing import NamedTuple

from bpvs.mon.monitors.verdict import Sick, printable

_STATUS = re.compile(r"SIP/2\.0 ([1-6]\d\d)(?: (.*))?")
_COMPACT = {"i": "call-id", "v": "via"}


class Identity(NamedTuple):
    """What makes one request unlike all others: three random words."""

    branch: str
    tag: str
    call: str


class Answer(NamedTuple):
    """The head of a response."""

    status: int
    reason: str


def options_request(uri: str, transport: str, local: str, identity: Identity) -> bytes:
    """OPTIONS for `uri`; `transport` is UDP, TCP or TLS, `local` the own address and port as Via has them."""
    lines = (
        f"OPTIONS {uri} SIP/2.0",
        f"Via: SIP/2.0/{transport} {local};branch=z9hG4bK{identity.branch};rport",
        "Max-Forwards: 70",
        f"To: <{uri}>",
        f"From: <sip:mon@{local}>;tag={identity.tag}",
        f"Call-ID: {identity.call}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:mon@{local};transport={transport.lower()}>",
        "Accept: application/sdp",
        "User-Agent: bpvs mon",
        "Content-Length: 0",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def read_answer(head: bytes, identity: Identity) -> Answer:
    """The answer to the request of that identity; Sick for anything else."""
    first, *lines = head.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise Sick(f"the answer is not SIP: {printable(first.encode())!r}")
    pairs = (line.partition(":") for line in lines)
    fields = [(name.strip().lower(), value.strip()) for name, _, value in pairs]
    calls = [value for name, value in fields if _COMPACT.get(name, name) == "call-id"]
    if calls != [identity.call]:
        raise Sick("the answer is to another request")
    return Answer(int(status[1]), printable((status[2] or "").encode()))
