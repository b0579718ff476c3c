# SPDX-License-Identifier: GPL-2.0-or-later
"""mail.alert against a mail server that speaks the few words of RFC 5321 that are needed, and a sendmail."""

from __future__ import annotations

import email
import socketserver
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from bpvs.mon.alerts import mail
from bpvs.mon.alerts.calling import AlertFailed
from bpvs.mon.alerts.telling import local_time

from .conftest import Call
from .serving import serving


class Server(socketserver.ThreadingTCPServer):
    """Keeps envelopes and letters."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.envelope: list[str] = []
        self.letters: list[bytes] = []

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Conversation(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        self.say("220 here")
        while line := self.rfile.readline().decode().strip():
            verb = line.upper()
            if verb.startswith("RCPT TO:<NOBODY@"):
                self.say("550 no such user")
            elif verb == "DATA":
                self.say("354 go on")
                letter = b""
                while (more := self.rfile.readline()) != b".\r\n":
                    letter += more.removeprefix(b".")
                self.server.letters.append(letter)
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            elif verb == "STARTTLS":
                self.say("454 not today")
            else:
                self.server.envelope.append(line)
                self.say("250 well")

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as made:
        yield made


def read(letter: bytes) -> EmailMessage:
    found = email.message_from_bytes(letter, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def test_a_letter_arrives_whole(call: Call, server: Server) -> None:
    said = call("mail.alert", "--smtp", server.place, "-f", "mon@example.org", "ops@example.org", "two@example.org")
    assert said == f"sent to ops@example.org, two@example.org by {server.place}"
    assert "rcpt TO:<two@example.org>" in server.envelope
    (letter,) = map(read, server.letters)
    assert letter["Subject"] == f"ALERT WEB/http: 10.0.0.1 ({local_time(1795377522)})"
    assert (letter["From"], letter["To"]) == ("mon@example.org", "ops@example.org, two@example.org")
    assert letter["Auto-Submitted"] == "auto-generated"
    body = letter.get_content().splitlines()
    assert "Hosts    10.0.0.1 10.0.0.2" in body
    assert body[-2:] == ["HOST 10.0.0.1: refused", ".hidden"]


def test_what_a_monitor_says_makes_no_header(call: Call, server: Server) -> None:
    said = "10.0.0.1\r\x0bBcc: all@example.org\u2028X: y\nmore\n".encode()
    call("mail.alert", "--smtp", server.place, "-f", "mon@example.org", "ops@example.org", stdin=said)
    letter = read(server.letters[0])
    assert letter["Bcc"] is None
    assert "Bcc: all@example.org X: y" in letter["Subject"]


@pytest.mark.parametrize("address", ["a b@x", "-oQ/tmp@x", "a@x\nBcc: b@y", "a@x,b@y", "<a@x>", "a@x y", ""])
def test_what_is_no_address_is_refused(call: Call, address: str) -> None:
    with pytest.raises(AlertFailed, match=r"is no address|required|unrecognized"):
        call("mail.alert", "--smtp", "127.0.0.1:1", address)


@pytest.mark.parametrize("place", ["", "127.0.0.1:0", "127.0.0.1:99999", "a b", "::1:25"])
def test_what_is_no_server_is_refused(call: Call, place: str) -> None:
    with pytest.raises(AlertFailed, match="is no HOST"):
        call("mail.alert", "--smtp", place, "ops")


def test_a_refusal_is_told_in_the_servers_words(call: Call, server: Server) -> None:
    words = ("--smtp", server.place, "-f", "mon@example.org")
    with pytest.raises(AlertFailed, match=rf"mail server {server.place}: .*no such user"):
        call("mail.alert", *words, "nobody@example.org")
    with pytest.raises(AlertFailed, match="STARTTLS"):
        call("mail.alert", *words, "--starttls", "ops@example.org")
    assert server.letters == []


def test_without_a_server_sendmail_gets_it(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "sendmail"
    script.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/words\ncat > {tmp_path}/letter\n')
    script.chmod(0o700)
    monkeypatch.setattr(mail, "SENDMAIL", str(script))
    assert call("mail.alert", "-f", "mon@example.org", "-S", "look", "root") == f"given to {script} for root"
    assert (tmp_path / "words").read_text() == "-oi -f mon@example.org -- root\n"
    letter = (tmp_path / "letter").read_bytes()
    assert b"\r" not in letter
    assert read(letter)["Subject"].startswith("ALERT WEB/http: look (")
    script.write_text("#!/bin/sh\necho queue is full\nexit 75\n")
    with pytest.raises(AlertFailed, match="sendmail gave exit code 75: queue is full"):
        call("mail.alert", "root")


def test_without_either_one_sentence(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "SENDMAIL", str(tmp_path / "none"))
    with pytest.raises(AlertFailed, match=r"there is no .*none here; name a mail server by --smtp"):
        call("mail.alert", "root")
