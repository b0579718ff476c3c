# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong with a command line."""

from __future__ import annotations

from bpvs.model import BpvsError


class UsageError(BpvsError):
    """A command line is wrong: str() is the line for stderr, `code` the exit code, and `-R` stops here."""

    code = 2
    stops_restore = True


class NotACommand(UsageError):
    """The first word is not a command."""

    code = 255

    def __init__(self, program: str) -> None:
        super().__init__(f"Try `{program} -h' or '{program} --help' for more information.")


class BadOption(UsageError):
    """A word that popt refuses: unknown, without its argument, or with one too many; `-R` goes on after it."""

    code = 255
    stops_restore = False

    def __init__(self, word: str, reason: str) -> None:
        super().__init__(f"{word}: {reason}")


class NotListed(UsageError):
    """The service that a listing names is not there; `-R` stops here."""

    code = 1
