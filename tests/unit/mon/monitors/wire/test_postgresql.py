# SPDX-License-Identifier: GPL-2.0-or-later
"""PostgreSQL's messages, laid out as its manual has them."""

from __future__ import annotations

import pytest

from bpvs.mon.monitors.verdict import Sick
from bpvs.mon.monitors.wire.postgresql import (
    TERMINATE,
    TLS_REQUEST,
    md5_answer,
    message,
    password_message,
    read_auth,
    read_error,
    read_head,
    sasl_first,
    startup,
)


def test_messages_of_the_client() -> None:
    assert TLS_REQUEST.hex() == "0000000804d2162f"
    assert startup({"user": "mon"}) == b"\0\0\0\x12\0\3\0\0user\0mon\0\0"
    assert message(b"X", b"") == TERMINATE
    assert password_message("x") == b"p\0\0\0\6x\0"
    assert sasl_first("M", b"ab") == b"p\0\0\0\x0cM\0\0\0\0\2ab"


def test_the_md5_answer() -> None:
    """As libpq computes it; the value was checked with md5sum(1)."""
    assert md5_answer("mon", "secret", b"\1\2\3\4") == "md5105cfc4f33d2766f41e6ec89b4e800c0"


def test_messages_of_the_server() -> None:
    assert read_head(b"R\0\0\0\x08") == (b"R", 4)
    assert read_auth(b"\0\0\0\x05salt") == (5, b"salt")
    error = read_error(b"SFATAL\0C57P03\0Mthe database system is starting up\0\0")
    assert (error.state, str(error)) == ("57P03", "57P03: the database system is starting up")


def test_what_is_no_message() -> None:
    for head in (b"HTTP/", b"\0\0\0\0\0", b"R\0\0\0\1"):
        if head == b"HTTP/":
            assert read_head(head)[1] > 1 << 20, "too long to be waited for"
            continue
        with pytest.raises(Sick, match="not PostgreSQL"):
            read_head(head)
    with pytest.raises(Sick, match="cut off"):
        read_auth(b"\0")
