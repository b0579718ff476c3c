# SPDX-License-Identifier: GPL-2.0-or-later
"""telnet.monitor: prompts between negotiations, and servers without one."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpvs.mon.monitors.telnet import separate
from bpvs.text.errors import UsageError
from tests.mon.monitors.servers import Serve, check, greeting, hang, refusing, serving


def _stubborn(connection: socket.socket) -> None:
    """Asks for two options, and goes on only when both are refused."""
    connection.sendall(b"\xff\xfd\x18\xff\xfb\x01")
    if connection.recv(6, socket.MSG_WAITALL) == b"\xff\xfc\x18\xff\xfe\x01":
        connection.sendall(b"host login: ")
        hang(connection)


ROWS: dict[str, tuple[Serve, list[str], bool, str]] = {
    "a prompt": (greeting(b"Debian\r\nhost login: ", hang), [], True, "prompt 'ogin:'"),
    "refused options": (_stubborn, [], True, "prompt 'ogin:'"),
    "a pattern as Perl has it": (greeting(b"WELCOME", hang), ["-l", "/elcome/i"], True, "prompt 'ELCOME'"),
    "a bare pattern": (greeting(b"user: ", hang), ["-l", "user:|ogin:"], True, "prompt 'user:'"),
    "another": (greeting(b"go away"), [], False, "closed without the prompt; it said 'go away'"),
    "endless": (greeting(b"x" * 70_000, hang), [], False, "no prompt in its first 65536 bytes"),
    "silent": (hang, ["-t", "0.4"], False, "no answer within 0.4 s"),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_server(name: str) -> None:
    serve, more, is_ok, said = ROWS[name]
    with serving(serve) as port:
        (report,) = check("telnet.monitor", ["-p", str(port), *more])
    assert (report.text, report.is_ok) == (said, is_ok)


def test_refused_and_wrong() -> None:
    with refusing() as port:
        assert check("telnet.monitor", f"-p {port}")[0].text == "connection refused"
    with pytest.raises(UsageError, match="is no regular expression"):
        check("telnet.monitor", ["-l", "/(/"])


@given(st.binary(max_size=60), st.integers(0, 60))
def test_pieces_give_what_the_whole_gives(raw: bytes, at: int) -> None:
    first, answered, rest = separate(raw[:at])
    second, more, left = separate(rest + raw[at:])
    assert (first + second, answered + more, left) == separate(raw)


@pytest.mark.parametrize(
    ("raw", "text", "answer", "rest"),
    [
        (b"a\xff\xffb", b"a\xffb", b"", b""),
        (b"\xff\xfb\x01\xff\xfc\x01", b"", b"\xff\xfe\x01", b""),
        (b"\xff\xfa\x18\x01\xff\xf0end", b"end", b"", b""),
        (b"\xff\xf9x\xff\xfd", b"x", b"", b"\xff\xfd"),
    ],
)
def test_commands(raw: bytes, text: bytes, answer: bytes, rest: bytes) -> None:
    assert separate(raw) == (text, answer, rest)
