# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules that mark, read and written: there and back, and a sentence for each mistake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpvs.model import Address, Family, InvalidMarkRule, InvalidNetwork, Protocol
from bpvs.model.mark_rule import MarkRule
from bpvs.model.network import Network
from bpvs.text.mark_rules import parse_mark, parse_rule, rule_words

ports = st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(lambda pair: (min(pair), max(pair)))


@st.composite
def networks(draw: st.DrawFn, family: Family, shortest: int) -> Network:
    size = 4 if family is Family.IPV4 else 16
    length = draw(st.integers(shortest, 8 * size))
    whole = draw(st.integers(0, (1 << length) - 1)) << (8 * size - length)
    return Network(Address(family, whole.to_bytes(size, "big")), length)


@st.composite
def rules(draw: st.DrawFn) -> MarkRule:
    family = draw(st.sampled_from(Family))
    return MarkRule(
        mark=draw(st.integers(0, 0xFFFFFFFF)),
        dst=draw(networks(family, 0)),
        src=draw(st.none() | networks(family, 1)),
        protocol=draw(st.none() | st.sampled_from(Protocol)),
        ports=tuple(draw(st.lists(ports, max_size=8))),
        interface=draw(st.sampled_from(("", "eth0", "bond0.17"))),
    )


@given(rules())
def test_there_and_back(rule: MarkRule) -> None:
    assert parse_rule(rule_words(rule).split()) == rule


def test_words_in_any_order_and_spelling() -> None:
    expected = "--dst 10.0.0.100 --proto tcp --dport 80,443,8000-8100 --mark 31"
    rule = parse_rule(
        [
            "--mark=0x1f",
            "--dport",
            "80,443-443,8000-8100",
            "--src",
            "0.0.0.0/0",
            "--proto",
            "tcp",
            "--dst=10.0.0.100/32",
        ]
    )
    assert rule_words(rule) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("--mark 1", "--dst is missing"),
        ("--dst 10.0.0.1", "--mark is missing"),
        ("--dst 10.0.0.1 --mark", "--mark wants a value"),
        ("--dst 10.0.0.1 --dst 10.0.0.2 --mark 1", "--dst is given twice"),
        ("--to 10.0.0.1 --mark 1", "'--to' is not among --dst, --src, --proto, --dport, --in, --mark"),
        ("10.0.0.1 --mark 1", "'10.0.0.1' is not among"),
        ("--dst 10.0.0 --mark 1", "'10.0.0' is no network: '10.0.0' is not an IP address"),
        ("--dst 10.0.0.0/x --mark 1", "'10.0.0.0/x' is no network: right would be 10.0.0.0/24"),
        ("--dst 10.0.0.0/33 --mark 1", "10.0.0.0/33: a length is 0 to 32"),
        ("--dst fd00::/129 --mark 1", "fd00::/129: a length is 0 to 128"),
        ("--dst 10.0.0.1/24 --mark 1", "10.0.0.1/24 has bits set behind its first 24"),
        ("--dst 10.0.0.1 --src fd00::/8 --mark 1", "fd00::/8 and 10.0.0.1 are of different families"),
        ("--dst 10.0.0.1 --src ::/0 --mark 1", "::/0 and 10.0.0.1 are of different families"),
        ("--dst 10.0.0.1 --proto icmp --mark 1", "'icmp' is no protocol: tcp, udp, sctp"),
        ("--dst 10.0.0.1 --dport http --mark 1", "'http' is neither a port nor a range of them"),
        ("--dst 10.0.0.1 --dport 80, --mark 1", "'' is neither a port nor a range of them"),
        ("--dst 10.0.0.1 --dport 90-80 --mark 1", "90-80 is no range of ports"),
        ("--dst 10.0.0.1 --dport 65536 --mark 1", "65536-65536 is no range of ports"),
        ("--dst 10.0.0.1 --dport 1,2,3,4,5,6,7,8,9 --mark 1", "at most 8 ports or ranges, not 9"),
        ("--dst 10.0.0.1 --in a-name-of-16-byte --mark 1", "an interface's name has at most 15 bytes"),
        ("--dst 10.0.0.1 --mark 4294967296", "a mark is 0 to 4294967295, not 4294967296"),
        ("--dst 10.0.0.1 --mark -1", "'-1' is no mark"),
        ("--dst 10.0.0.1 --mark 0xg", "'0xg' is no mark"),
        ("--dst 10.0.0.1 --mark 1_0", "'1_0' is no mark"),
    ],
)
def test_mistakes(text: str, sentence: str) -> None:
    with pytest.raises((InvalidMarkRule, InvalidNetwork, InvalidNetwork)) as raised:
        parse_rule(text.split())
    assert sentence in str(raised.value)


@pytest.mark.parametrize(("text", "mark"), [("0", 0), ("007", 7), ("0x1F", 31), ("0XFFFFFFFF", 0xFFFFFFFF)])
def test_marks(text: str, mark: int) -> None:
    assert parse_mark(text) == mark
