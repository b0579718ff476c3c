# SPDX-License-Identifier: GPL-2.0-or-later
"""Names and passwords for monitors that log in. A password is never part of a text: not of a report, log or error."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bpvs.mon.monitors.options import one_line, option
from bpvs.mon.monitors.tls import Secure
from bpvs.mon.monitors.verdict import Sick

_LONGEST = 4096


class Secret:
    """A password, or the file whose first line it is: read anew for each check, so that it can be changed there."""

    __slots__ = ("_path", "_text")

    def __init__(self, text: str = "", path: str = "") -> None:
        self._text, self._path = text, path

    def __repr__(self) -> str:
        return "Secret(...)"

    def read(self) -> str:
        """The password; Sick if the file does not tell it."""
        if not self._path:
            return self._text
        try:
            with Path(self._path).open(encoding="utf-8") as file:
                text = file.readline(_LONGEST).rstrip("\r\n")
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise Sick(f"the password file {self._path} cannot be read: {reason}") from None
        if not text.isprintable():
            raise Sick(f"the password in {self._path} has control characters in it")
        return text


def told(text: str) -> Secret:
    """A password on the command line."""
    return Secret(text=one_line(text))


def kept_in(path: str) -> Secret:
    """A password in a file."""
    if not path:
        raise ValueError("it wants the path of a file")
    return Secret(path=path)


@dataclass(frozen=True)
class Credentials(Secure):
    """The options of monitors that can log in."""

    username: str = option("--username", one_line, "")
    given: Secret | None = option("--password", told, None)
    kept: Secret | None = option("--password-file", kept_in, None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.given and self.kept:
            raise ValueError("--password and --password-file exclude each other")

    def password(self) -> str:
        """The password, empty if there is none; Sick if its file does not tell it."""
        secret = self.given or self.kept
        return secret.read() if secret else ""
