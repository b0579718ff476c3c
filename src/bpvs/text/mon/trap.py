# SPDX-License-Identifier: GPL-2.0-or-later
r"""A trap's datagram: lines `tag=value` or `tag='value'`, where `\0a` in a value is a newline.

`pro` version, `usr` `pas` credentials, `grp` `svc` target, `sta` status, `sum` `dtl` what happened; `typ` and `spc` are
for the log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bpvs.text.mon.escape import decode, encode, escape, unescape

VERSION = 0.3807  # of mon's first traps that say what they mean
_LINE = re.compile(r"(\w+)=(.*)", re.DOTALL)
_STATUS = re.compile(r"-?\d{1,9}")


@dataclass(frozen=True, slots=True)
class Datagram:
    """What a datagram says; a tag that is missing is empty. `status` None: none, or no number."""

    protocol: float | None
    user: str
    password: str = field(repr=False)  # a datagram may end up in a log
    group: str
    service: str
    status: int | None
    summary: str
    detail: str
    type: str
    specific: str
    strange: tuple[str, ...] = ()  # lines that are none


def parse_trap(data: bytes) -> Datagram:
    """Whatever the bytes are; nothing is refused here."""
    values: dict[str, str] = {}
    strange: list[str] = []
    for line in decode(data).split("\n"):
        match = _LINE.fullmatch(line)
        if match:
            values[match[1]] = _value_of(match[2])
        elif line:
            strange.append(line)
    get = values.get
    status = get("sta", "").strip()
    return Datagram(
        protocol=_number(get("pro", "")),
        user=get("usr", ""),
        password=get("pas", ""),
        group=get("grp", ""),
        service=get("svc", ""),
        status=int(status) if _STATUS.fullmatch(status) else None,
        summary=get("sum", ""),
        detail=get("dtl", ""),
        type=get("typ", ""),
        specific=get("spc", ""),
        strange=tuple(strange),
    )


def print_trap(fields: dict[str, str]) -> bytes:
    """A datagram of these tags in this order, quoted and escaped as Mon::Client does it."""
    return encode("".join(f"{tag}='{escape(value, doubling=True)}'\n" for tag, value in fields.items()))


def _value_of(text: str) -> str:
    quoted = len(text) >= 2 and text[0] == text[-1] == "'"
    return unescape(text[1:-1] if quoted else text)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text) else None
