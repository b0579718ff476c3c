# SPDX-License-Identifier: GPL-2.0-or-later
"""SIP: the request has what RFC 3261 demands, and only its own answer is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpvs.mon.monitors.verdict import Sick
from bpvs.mon.monitors.wire.sip import Answer, Identity, options_request, read_answer

ONE = Identity("br", "ta", "ca")


def test_the_request_is_complete() -> None:
    head, _, body = options_request("sip:192.0.2.4", "UDP", "192.0.2.1:40000", ONE).decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    assert (first, body) == ("OPTIONS sip:192.0.2.4 SIP/2.0", "")
    assert fields["Via"] == "SIP/2.0/UDP 192.0.2.1:40000;branch=z9hG4bKbr;rport"
    assert fields["From"].endswith(";tag=ta")
    assert {"To", "Max-Forwards", "Contact", "Content-Length"} <= fields.keys()
    assert (fields["CSeq"], fields["Call-ID"]) == ("1 OPTIONS", "ca")


@pytest.mark.parametrize("name", ["Call-ID", "call-id ", "i"])
def test_the_answer(name: str) -> None:
    assert read_answer(f"SIP/2.0 200 OK\r\n{name}: ca\r\n\r\nbody".encode(), ONE) == Answer(200, "OK")


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", "is not SIP: 'HTTP/1.1 200 OK'"),
        (b"SIP/2.0 200 OK\r\nCall-ID: other\r\n\r\n", "another request"),
        (b"SIP/2.0 200 OK\r\n\r\n", "another request"),
        (b"", "is not SIP"),
    ],
)
def test_what_is_no_answer(raw: bytes, sentence: str) -> None:
    with pytest.raises(Sick, match=sentence):
        read_answer(raw, ONE)


@given(st.binary(max_size=200))
def test_garbage_is_a_sick_host(raw: bytes) -> None:
    with pytest.raises(Sick):
        read_answer(raw, ONE)
