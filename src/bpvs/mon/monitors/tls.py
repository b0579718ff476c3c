# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS to a host, and what its certificate says; the certificate is judged only if that was asked for."""

from __future__ import annotations

import calendar
import ssl
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from bpvs.mon.monitors.options import Common, flag, option, whole
from bpvs.mon.monitors.verdict import Sick

if TYPE_CHECKING:
    from bpvs.mon.monitors.stream import Stream

_DAY = 86400.0
_ANY = -(1 << 31)  # days: one that has expired will do
_UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x17, 0x18, 0xA0  # tags of DER


@dataclass(frozen=True)
class Secure(Common):
    """The options of monitors that can speak TLS."""

    tls: bool = flag("--tls")
    verify: bool = flag("--verify")
    ca: str = option("--ca", str, "")
    days: int = option("--days", whole, _ANY)
    sni: str = option("--sni", str, "")

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.verify or self.ca or self.days != _ANY or self.sni) and not self.is_secure:
            raise ValueError("--verify, --ca, --days and --sni say what TLS has to be like, which was not asked for")

    @property
    def is_secure(self) -> bool:
        """Whether there will be TLS at any time."""
        return self.tls


@dataclass(frozen=True)
class Upgradable(Secure):
    """The options of monitors whose protocol can go on in TLS after it has begun without."""

    starttls: bool = flag("--starttls")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tls and self.starttls:
            raise ValueError("--tls and --starttls exclude each other: the one begins with TLS, the other turns to it")

    @property
    def is_secure(self) -> bool:
        """Whether there will be TLS at any time."""
        return self.tls or self.starttls


async def secure(stream: Stream, host: str, options: Secure) -> str:
    """Goes on in TLS; version and the certificate's days for a line of text. Sick if it has fewer than asked for."""
    plain = await stream.start_tls(context_of(options), (options.sni or host).strip("[]"))
    certificate = plain.getpeercert(binary_form=True)
    left = int((expiry(certificate) - time.time()) // _DAY) if certificate else 0
    days = f"certificate has {left} days left" if left >= 0 else f"certificate expired {-left} days ago"
    if left < options.days:
        raise Sick(f"{days}, wanted are {options.days}")
    return f"{plain.version()}, {days}"


def context_of(options: Secure) -> ssl.SSLContext:
    """The context for these options; a file of authorities is read again when it has changed. Sick if it cannot be."""
    if not options.ca:
        return _context(options.verify, "", 0)
    try:
        return _context(True, options.ca, Path(options.ca).stat().st_mtime_ns)
    except (OSError, ssl.SSLError) as error:
        raise Sick(f"{options.ca} cannot be used as certificates of authorities: {error.strerror or error}") from None


@lru_cache(maxsize=64)
def _context(is_verifying: bool, ca: str, changed: int) -> ssl.SSLContext:
    if is_verifying:
        return ssl.create_default_context(cafile=ca or None)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def expiry(certificate: bytes) -> float:
    """When a certificate (DER) ends, as epoch; Sick if it is none.

    Python decodes only certificates that it has verified, so this walks to `validity` (RFC 5280, 4.1) by itself.
    """
    try:
        _, fields, _ = _element(certificate, 0)
        _, at, _ = _element(certificate, fields)
        tag, _, behind = _element(certificate, at)
        if tag == _VERSION:
            at = behind
        for _ in ("serialNumber", "signature", "issuer"):
            _, _, at = _element(certificate, at)
        _, validity, _ = _element(certificate, at)
        _, _, not_after = _element(certificate, validity)
        tag, start, end = _element(certificate, not_after)
        return _moment(tag, certificate[start:end].decode("ascii"))
    except (IndexError, ValueError):
        raise Sick("its certificate cannot be read") from None


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Tag, start of the content, and end of the element that begins at `at`."""
    size, start = der[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        size, start = int.from_bytes(der[start : start + count], "big"), start + count
    if start + size > len(der):
        raise IndexError
    return der[at], start, start + size


def _moment(tag: int, text: str) -> float:
    if tag == _UTC_TIME:  # two digits of the year: 1950 to 2049
        text = ("20" if text < "50" else "19") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError(tag)
    return float(calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ")))
