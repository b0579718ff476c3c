# SPDX-License-Identifier: GPL-2.0-or-later
"""mail.alert: a letter by SMTP (RFC 5321), or by the machine's sendmail; mon-alerts(7)."""

from __future__ import annotations

import argparse
import os
import pwd
import re
import smtplib
import socket
import ssl
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid
from smtplib import SMTP_PORT
from typing import TYPE_CHECKING

from bpvs.mon.alerts.calling import AlertFailed, Options, place, taken_apart
from bpvs.mon.alerts.telling import headline, local_time
from bpvs.mon.processes import Process
from bpvs.mon.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpvs.mon.alerts.calling import Calling
    from bpvs.mon.core.values import CallAlert

SENDMAIL = "/usr/sbin/sendmail"
PATIENCE = 30.0  # seconds for each step of the conversation, and for sendmail
# Without blanks, quotes, commas or a hyphen in front, so that none is taken for two, for an option or for a header.
_ADDRESS = re.compile(r"[A-Za-z0-9._+=/~!#$%&'*?^{|}][A-Za-z0-9._+=/~!#$%&'*?^{|}-]*(@[A-Za-z0-9.:\[\]-]+)?")


async def alert(call: CallAlert) -> str:
    """Sends one letter to all; AlertFailed with the server's words if it does not take it."""
    calling = taken_apart(call)
    found = read(calling.own)
    letter = _letter(calling, found)
    if found.smtp:
        await in_thread(lambda: _send(letter, found.smtp, found.starttls))
        return f"sent to {letter['To']} by {':'.join(map(str, found.smtp))}"
    if not os.access(SENDMAIL, os.X_OK):
        raise AlertFailed(f"mail.alert: there is no {SENDMAIL} here; name a mail server by --smtp HOST[:PORT]")
    words = (SENDMAIL, "-oi", "-f", found.f, "--", *found.addresses)
    outcome = await Process.start(words, {}, letter.as_bytes(policy=policy.default)).outcome(PATIENCE)
    if outcome.status != 0:
        said = outcome.output.decode(errors="replace").strip() or "no word"
        raise AlertFailed(f"{SENDMAIL} gave exit code {outcome.status}: {said}")
    return f"given to {SENDMAIL} for {letter['To']}"


def read(words: Sequence[str]) -> argparse.Namespace:
    """Its own arguments; AlertFailed."""
    options = Options("mail.alert")
    options.add_argument("-S", metavar="SUBJECT")
    options.add_argument(
        "-f", metavar="FROM", type=_address, default=f"{pwd.getpwuid(os.geteuid()).pw_name}@{socket.gethostname()}"
    )
    options.add_argument("--smtp", metavar="HOST[:PORT]", type=lambda text: place(text, SMTP_PORT))
    options.add_argument("--starttls", action="store_true")
    options.add_argument("addresses", nargs="+", type=_address, metavar="ADDRESS")
    return options.read(words)


def _letter(calling: Calling, options: argparse.Namespace) -> EmailMessage:
    letter = EmailMessage(policy=policy.SMTP)
    letter["From"] = options.f
    letter["To"] = ", ".join(options.addresses)
    letter["Subject"] = headline(calling, options.S)
    letter["Date"] = format_datetime(localtime())
    letter["Message-ID"] = make_msgid(domain=socket.gethostname())
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice answers
    lines = [
        f"Group    {calling.key.group}",
        f"Service  {calling.key.service}",
        f"Hosts    {' '.join(calling.hosts)}",
        f"Time     {local_time(calling.epoch)}",
        f"Summary  {calling.summary}",
        "",
        calling.detail,
    ]
    letter.set_content("\n".join(lines))
    return letter


def _send(letter: EmailMessage, server: tuple[str, int], starttls: bool) -> None:
    host, port = server
    try:
        with smtplib.SMTP(host, port, timeout=PATIENCE) as connection:
            if starttls:
                connection.starttls(context=ssl.create_default_context())
            connection.send_message(letter)
    except (smtplib.SMTPException, OSError) as error:
        raise AlertFailed(f"mail server {host}:{port}: {error}") from error


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no address; right would be name@example.org")
    return text
