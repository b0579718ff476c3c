# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules that mark, as `bpvs mark` reads and writes them: `--dst 10.0.0.100 --proto tcp --dport 80,443 --mark 1`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bpvs.model import Address, Family, InvalidMarkRule, Protocol
from bpvs.model.mark_rule import MAX_MARK, MarkRule, PortRange
from bpvs.model.network import Network
from bpvs.text.names import PROTOCOL_NAMES

OPTIONS = ("dst", "src", "proto", "dport", "in", "mark")
_PROTOCOLS = {name: protocol for protocol, name in PROTOCOL_NAMES.items()}


def make_rule(fields: Mapping[str, str]) -> MarkRule:
    """The rule of the options' values by their names; InvalidMarkRule, InvalidNetwork."""
    for name in ("dst", "mark"):
        if name not in fields:
            raise InvalidMarkRule(f"--{name} is missing")
    dst = Network.parse(fields["dst"])
    src = Network.parse(fields["src"]) if "src" in fields else None
    if src == _everything(dst.family):
        src = None
    return MarkRule(
        mark=parse_mark(fields["mark"]),
        dst=dst,
        src=src,
        protocol=_parse_protocol(fields["proto"]) if "proto" in fields else None,
        ports=_parse_ports(fields["dport"]) if "dport" in fields else (),
        interface=fields.get("in", ""),
    )


def parse_rule(words: Sequence[str]) -> MarkRule:
    """The rule of a line's words; InvalidMarkRule, InvalidNetwork."""
    fields: dict[str, str] = {}
    rest = list(words)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if not name.startswith("--") or name[2:] not in OPTIONS:
            raise InvalidMarkRule(f"{name!r} is not among {', '.join(f'--{one}' for one in OPTIONS)}")
        if name[2:] in fields:
            raise InvalidMarkRule(f"{name} is given twice")
        if not equals:
            if not rest:
                raise InvalidMarkRule(f"{name} wants a value")
            value = rest.pop(0)
        fields[name[2:]] = value
    return make_rule(fields)


def rule_words(rule: MarkRule) -> str:
    """The words that parse_rule() reads."""
    fields = {
        "dst": str(rule.dst),
        "src": str(rule.src) if rule.src else "",
        "proto": PROTOCOL_NAMES[rule.protocol] if rule.protocol else "",
        "dport": format_ports(rule.ports),
        "in": rule.interface,
        "mark": str(rule.mark),
    }
    return " ".join(f"--{name} {value}" for name, value in fields.items() if value)


def format_ports(ports: Sequence[PortRange]) -> str:
    """`80,443,8000-8100`."""
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ports)


def parse_mark(text: str) -> int:
    """A mark, decimal or, as nft shows it, `0x1f`; InvalidMarkRule."""
    is_hex = text[:2] in ("0x", "0X")
    try:
        if not text.isascii() or "_" in text or not text[:1].isdigit():
            raise ValueError
        mark = int(text, 16 if is_hex else 10)
    except ValueError:
        raise InvalidMarkRule(f"{text!r} is no mark: 0 to {MAX_MARK}") from None
    return mark


def _everything(family: Family) -> Network:
    return Network(Address(family, bytes(4 if family is Family.IPV4 else 16)), 0)


def _parse_protocol(text: str) -> Protocol:
    try:
        return _PROTOCOLS[text]
    except KeyError:
        raise InvalidMarkRule(f"{text!r} is no protocol: {', '.join(_PROTOCOLS)}") from None


def _parse_ports(text: str) -> tuple[PortRange, ...]:
    return tuple(_parse_range(part) for part in text.split(","))


def _parse_range(text: str) -> PortRange:
    first, dash, last = text.partition("-")
    ends = (first, last if dash else first)
    if not all(end.isascii() and end.isdigit() and len(end) <= 5 for end in ends):
        raise InvalidMarkRule(f"{text!r} is neither a port nor a range of them: right would be 80 or 8000-8100")
    return int(ends[0]), int(ends[1])
