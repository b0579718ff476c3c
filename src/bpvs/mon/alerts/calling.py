# SPDX-License-Identifier: GPL-2.0-or-later
"""What every built-in alert begins with: the call taken apart, and its own options."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, NoReturn

from bpvs.model import BpvsError
from bpvs.model.mon import AlertKind
from bpvs.model.value import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpvs.model.mon import Key
    from bpvs.mon.core.values import CallAlert

STANDARD = ("-s", "-g", "-h", "-t")  # each with a value, before everything else
FLAGS = ("-u", "-a", "-D", "-T", "-O")
FAILURES = (AlertKind.FAILURE, AlertKind.TRAP, AlertKind.TRAP_TIMEOUT)
_NAME = re.compile(r"--[^=]*|-?.?")  # of an option
_PLACE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")


class AlertFailed(BpvsError):
    """A built-in alert could not do its work; the sentence says why and what would be right."""

    text = "the alert failed"


@dataclass(frozen=True, slots=True)
class Calling:
    """A call as an alert understands it.

    `hosts` are the group's enabled hosts, `epoch` the time of the call, `own` the alert's own arguments; `summary` is
    the first line of what the monitor said, `detail` the rest.
    """

    key: Key
    kind: AlertKind
    hosts: tuple[str, ...]
    epoch: int
    own: tuple[str, ...]
    summary: str
    detail: str

    @property
    def is_up(self) -> bool:
        """The service is well again."""
        return self.kind is AlertKind.UP

    @property
    def is_failure(self) -> bool:
        """The service fails: seen by its monitor, told by a trap, or no trap came."""
        return self.kind in FAILURES


def taken_apart(call: CallAlert) -> Calling:
    """The call by its parts; AlertFailed if it does not begin as every call of mon does."""
    words = call.arguments
    head = len(STANDARD) * 2
    if words[0:head:2] != STANDARD or not words[7].isdecimal():
        raise AlertFailed(f"called with {' '.join(words)!r}; it should begin with -s SERVICE -g GROUP -h HOSTS -t TIME")
    own = words[head:]
    if own[:1] and own[0] in FLAGS and call.kind is not AlertKind.FAILURE:
        own = own[1:]
    summary, _, detail = call.stdin.decode(errors="replace").partition("\n")
    return Calling(call.key, call.kind, tuple(words[5].split()), int(words[7]), own, summary, detail)


class Options(argparse.ArgumentParser):
    """The options of an alert; what is wrong raises AlertFailed instead of ending the daemon."""

    def __init__(self, alert: str) -> None:
        super().__init__(prog=alert, add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """AlertFailed."""
        what, mark, words = message.partition("unrecognized arguments: ")
        if mark:  # behind the name of an option may stand a password
            message = what + mark + " ".join(_NAME.match(word)[0] for word in words.split())  # type: ignore[index]
        raise AlertFailed(f"{self.prog}: {message}; {' '.join(self.format_usage().split())}")

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """The options' values; AlertFailed."""
        return self.parse_args(list(words))


def place(text: str, port: int) -> tuple[str, int]:
    """Host and port of `HOST[:PORT]`, IPv6 in brackets; `port` if none is said. A type for argparse."""
    found = _PLACE.fullmatch(text)
    if not found or not 0 < int(found[2] or port) < 2**16:
        raise argparse.ArgumentTypeError(f"{text!r} is no HOST[:PORT]; right would be host.example.org:{port}")
    return found[1].strip("[]"), int(found[2] or port)
