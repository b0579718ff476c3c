# SPDX-License-Identifier: GPL-2.0-or-later
"""LDAP's messages, version 3 (RFC 4511): bind, StartTLS, search, unbind, and what comes back."""

from __future__ import annotations

from typing import NamedTuple

from bpvs.mon.monitors.verdict import Sick, printable
from bpvs.mon.monitors.wire import ber

SEARCH_ENTRY, SEARCH_DONE = 0x64, 0x65
SCOPES = {"base": 0, "one": 1, "sub": 2}

_BIND, _UNBIND, _SEARCH, _EXTENDED = 0x60, 0x42, 0x63, 0x77
_RESULTS = (0x61, SEARCH_DONE, 0x78)
_SIMPLE, _REQUEST_NAME = 0x80, 0x80
_START_TLS = b"1.3.6.1.4.1.1466.20037"  # RFC 4511, section 4.14.1
_SECONDS, _ENTRIES = 60, 100  # limits that the server keeps
_CODES = {
    1: "operations error",
    2: "protocol error",
    3: "time limit exceeded",
    7: "authentication method not supported",
    8: "stronger authentication required",
    13: "confidentiality required",
    32: "no such object",
    34: "invalid DN",
    48: "inappropriate authentication",
    49: "invalid credentials",
    50: "insufficient access",
    51: "busy",
    52: "unavailable",
    53: "unwilling to perform",
}


class Search(NamedTuple):
    """What is searched for; `filter` is of compile_filter()."""

    base: str
    scope: int
    filter: bytes
    attribute: str


class Result(NamedTuple):
    """How an operation ended; code 0 is success."""

    code: int
    message: str

    def __str__(self) -> str:
        name = _CODES.get(self.code, "refused")
        return f"{name} ({self.code}){f': {self.message}' if self.message else ''}"


class Entry(NamedTuple):
    """An entry of the directory."""

    name: str
    attributes: tuple[tuple[str, tuple[bytes, ...]], ...]

    def __str__(self) -> str:
        lines = [f"{name}: {printable(value)}" for name, values in self.attributes for value in values]
        return "\n".join([f"dn: {self.name}", *lines])


def bind(number: int, name: str, password: str) -> bytes:
    """A simple bind; empty name and password: anonymous."""
    fields = (ber.encode_number(3), _octets(name), ber.encode(_SIMPLE, password.encode()))
    return _message(number, ber.encode(_BIND, *fields))


def start_tls(number: int) -> bytes:
    """Asks to go on in TLS."""
    return _message(number, ber.encode(_EXTENDED, ber.encode(_REQUEST_NAME, _START_TLS)))


def search(number: int, what: Search) -> bytes:
    """A search, with limits."""
    fields = (
        _octets(what.base),
        ber.encode_number(what.scope, ber.ENUMERATED),
        ber.encode_number(0, ber.ENUMERATED),  # aliases are not followed
        ber.encode_number(_ENTRIES),
        ber.encode_number(_SECONDS),
        ber.encode(ber.BOOLEAN, b"\0"),
        what.filter,
        ber.encode(ber.SEQUENCE, _octets(what.attribute)),
    )
    return _message(number, ber.encode(_SEARCH, *fields))


def unbind(number: int) -> bytes:
    """Says farewell."""
    return _message(number, ber.encode(_UNBIND))


def read(data: bytes, number: int) -> ber.Element:
    """The operation in a message that answers the message of that number; Sick."""
    whole, _ = ber.take(data)
    parts = whole.children() if whole.tag == ber.SEQUENCE else []
    if len(parts) < 2 or parts[0].tag != ber.INTEGER:
        raise Sick("the answer is not LDAP")
    if parts[0].number() == 0 and parts[1].tag == 0x78:  # notice of disconnection, section 4.4.1
        raise Sick(f"it disconnects: {read_result(parts[1])}")
    if parts[0].number() != number:
        raise Sick("the answer is to another request")
    return parts[1]


def read_result(operation: ber.Element) -> Result:
    """Code and message of an operation's end; Sick."""
    fields = operation.children() if operation.tag in _RESULTS else []
    if len(fields) < 3:
        raise Sick("the answer is none to that request")
    return Result(fields[0].number(), printable(fields[2].content))


def read_entry(operation: ber.Element) -> Entry:
    """An entry that a search found; Sick."""
    fields = operation.children()
    if len(fields) < 2:
        raise Sick("a broken entry")
    attributes = []
    for attribute in fields[1].children():
        parts = attribute.children()
        if len(parts) < 2:
            raise Sick("a broken entry")
        values = tuple(value.content for value in parts[1].children())
        attributes.append((printable(parts[0].content), values))
    return Entry(printable(fields[0].content), tuple(attributes))


def _message(number: int, operation: bytes) -> bytes:
    return ber.encode(ber.SEQUENCE, ber.encode_number(number), operation)


def _octets(text: str) -> bytes:
    return ber.encode(ber.OCTETS, text.encode())
