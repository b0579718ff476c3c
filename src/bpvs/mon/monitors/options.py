# SPDX-License-Identifier: GPL-2.0-or-later
"""A monitor's arguments as a value: one dataclass per monitor, whose fields say how they are written.

Words are read as mon's monitors read them: `-p 80`, `-p80`, letters together (`-ao`), long names with one dash where
the monitor has them so (`-zone`, also `--zone` and `-zone=x`), `--name VALUE`, `--name=VALUE`. The first word that is
no option ends them: it and all behind it are hosts (or whatever the monitor is about), as is everything after `--`.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from bpvs.mon.monitors.via import Via, read_via
from bpvs.text.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
T = TypeVar("T", bound="Timed")


@dataclass(frozen=True)
class _Spelling:
    """How a field is given: its names, what reads its value (None: a flag), and whether values add up to a tuple."""

    names: tuple[str, ...]
    read: Callable[[str], object] | None
    is_repeated: bool


def option(names: str, read: Callable[[str], object], default: object, *, is_repeated: bool = False) -> Any:
    """A field with a value, `names` as in "-p --port"; what `read` raises, ValueError, says what would be right."""
    return field(default=default, metadata={"spelling": _Spelling(tuple(names.split()), read, is_repeated)})


def flag(names: str, *, default: bool = False) -> Any:
    """A field that is True if the option is given."""
    return field(default=default, metadata={"spelling": _Spelling(tuple(names.split()), None, False)})


def whole(text: str) -> int:
    """A whole number, 0 too."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def positive(text: str) -> int:
    """A whole number from 1."""
    number = whole(text)
    if not number:
        raise ValueError("0 is too few: from 1")
    return number


def seconds(text: str) -> float:
    """A time, `5` or `0.5`, in seconds where an option does not say otherwise."""
    whole, _, fraction = text.partition(".")
    if not (text.isascii() and whole.isdigit() and (fraction or "0").isdigit() and len(text) < 10 and float(text)):
        raise ValueError(f"{text!r} is no time: right would be 5 or 0.5")
    return float(text)


def port(text: str) -> int:
    """A port by its number or by its name in the services file."""
    if text.isascii() and text.isdigit():
        if len(text) > 5 or not 0 < int(text) < 1 << 16:
            raise ValueError(f"{text} is no port: 1 to 65535")
        return int(text)
    try:
        return socket.getservbyname(text)
    except (OSError, UnicodeError):
        raise ValueError(f"{text!r} is neither a port nor the name of one in /etc/services") from None


def ports(text: str) -> tuple[int, ...]:
    """Ports with commas between."""
    return tuple(port(part) for part in text.split(","))


def statuses(text: str) -> frozenset[int]:
    """Status codes and ranges of them, `200-399,401`."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        ends = (first, last if dash else first)
        if not all(end.isascii() and end.isdigit() and len(end) == 3 for end in ends):
            raise ValueError(f"{part!r} is no status: right would be 200 or 200-399")
        found.update(range(int(ends[0]), int(ends[1]) + 1))
    if not found:
        raise ValueError(f"{text!r} holds no status")
    return frozenset(found)


def one_line(text: str) -> str:
    """Text for a line of a protocol: control characters could begin another line."""
    if not text.isprintable():
        raise ValueError("control characters do not belong there")
    return text


def escaped(text: str) -> bytes:
    r"""Bytes to be sent, with `\r`, `\n`, `\t`, `\0`, `\xHH` and `\\` for what a configuration cannot hold."""

    def byte(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        if match[2] not in _ESCAPES:
            raise ValueError(f"{match[0]} stands for nothing: there are \\r \\n \\t \\0 \\xHH \\\\")
        return _ESCAPES[match[2]]

    if not text.isascii():
        raise ValueError(f"{text!r} holds letters beyond ASCII: write their bytes as \\xHH")
    return re.sub(r"\\(?:x([0-9A-Fa-f]{2})|(.?))", byte, text).encode("latin-1")


def regex(text: str) -> re.Pattern[bytes]:
    """A regular expression for what a host sends; a dot matches the end of a line too."""
    try:
        return re.compile(text.encode(), re.DOTALL)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None


def mark(text: str) -> int:
    """A firewall mark, decimal or `0x1f`."""
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 32:
        raise ValueError(f"{text!r} is no mark: 0 to 0xffffffff")
    return value


def interface(text: str) -> str:
    """The name of a network interface."""
    if not 0 < len(text.encode()) < 16:  # IFNAMSIZ
        raise ValueError(f"{text!r} is no name of an interface")
    return text


def address(text: str) -> str:
    """An IPv4 or IPv6 address."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is no address") from None


@dataclass(frozen=True)
class Timed:
    """What every monitor understands. Checks across options stand in `__post_init__` and raise ValueError."""

    timeout: float = option("-t --timeout", seconds, 10.0)  # for one host, all in all


@dataclass(frozen=True)
class Common(Timed):
    """What every monitor understands that goes out to hosts."""

    source: str = option("--source", address, "")
    interface: str = option("--interface", interface, "")
    mark: int = option("--mark", mark, 0)
    via: Via | None = option("--via", read_via, None)
    ipv4: bool = flag("-4")
    ipv6: bool = flag("-6")

    def __post_init__(self) -> None:
        if self.ipv4 and self.ipv6:
            raise ValueError("-4 and -6 exclude each other")
        if self.via and (self.mark or self.interface):
            raise ValueError("--via has a way of its own, without --mark and --interface")
        if self.source and self.family not in (socket.AF_UNSPEC, _family_of(self.source)):
            raise ValueError(f"{self.source} is of the other family than the option asks for")

    @property
    def family(self) -> socket.AddressFamily:
        """The family that hosts are reached by; AF_UNSPEC: either. A source address leaves only its own."""
        if self.ipv4 or self.ipv6:
            return socket.AF_INET if self.ipv4 else socket.AF_INET6
        return _family_of(self.source) if self.source else socket.AF_UNSPEC


def parse(program: str, kind: type[T], arguments: Sequence[str]) -> tuple[T, tuple[str, ...]]:
    """The options and the words behind them; UsageError. Results are remembered: a monitor runs again and again.

    >>> parse("x.monitor", Common, ["-t3", "--source=::1", "somewhere"])
    (Common(timeout=3.0, source='::1', interface='', mark=0, via=None, ipv4=False, ipv6=False), ('somewhere',))
    """
    return _parse(program, kind, tuple(arguments))  # type: ignore[arg-type]  # a class is hashable


@lru_cache(maxsize=4096)
def _parse(program: str, kind: type[T], arguments: tuple[str, ...]) -> tuple[T, tuple[str, ...]]:
    spellings = _spellings(kind)  # type: ignore[arg-type]  # as above
    values: dict[str, Any] = {}
    words = list(arguments)
    try:
        while words and words[0].startswith("-") and words[0] != "-":
            word = words.pop(0)
            if word == "--":
                break
            _read(word, words, spellings, values)
        return kind(**values), tuple(words)
    except ValueError as error:
        raise UsageError(f"{program}: {error}") from None


def _read(word: str, words: list[str], spellings: dict[str, tuple[str, _Spelling]], values: dict[str, Any]) -> None:
    """One word's option into `values`, taking its value from `words` if it is not in the word itself."""
    name, equals, value = word.partition("=")
    if len(name) <= 2 or name not in spellings:
        name, equals, value = word[:2], word[2:], word[2:]
    if name not in spellings:
        shown = word.partition("=")[0] if word.startswith("--") else name  # behind a letter may stand a password
        raise ValueError(f"{shown} is no option of it: there are {' '.join(spellings)}")
    key, spelling = spellings[name]
    if spelling.read is None:
        if equals == "=":
            raise ValueError(f"{name} wants no value")
        values[key] = True
        if value:
            words.insert(0, f"-{value}")  # letters together
        return
    if not equals:
        if not words:
            raise ValueError(f"{name} wants a value")
        value = words.pop(0)
    try:
        found = spelling.read(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    values[key] = (*values.get(key, ()), found) if spelling.is_repeated else found


@lru_cache
def _spellings(kind: type[Timed]) -> dict[str, tuple[str, _Spelling]]:
    """By every name that is understood: the field and its spelling."""
    found = {}
    for entry in fields(kind):
        spelling = entry.metadata["spelling"]
        for name in spelling.names:
            found[name] = (entry.name, spelling)
            if len(name) > 2 and not name.startswith("--"):
                found[f"-{name}"] = (entry.name, spelling)
    return found


def _family_of(text: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in text else socket.AF_INET
