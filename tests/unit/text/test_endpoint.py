# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from bpvs.model import Address, Protocol
from bpvs.testing import FixedResolver
from bpvs.text.endpoint import EndpointPrinter, parse_endpoint
from bpvs.text.names import Resolver

NAMES = FixedResolver(
    {"10.0.0.9": ["rs9.example.com", "rs9"], "2001:db8::9": ["six"], "10.0.0.8": ["x" * 70]},
    {("http", "tcp"): 80, ("domain", "udp"): 53},
)


def parsed(text: str, protocol: Protocol | None = Protocol.TCP) -> str | None:
    found = parse_endpoint(text, protocol, NAMES)
    return None if found is None else f"{found[0]} {found[1]}"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("10.0.0.1:80", "10.0.0.1 80"),
        ("10.0.0.1", "10.0.0.1 None"),
        ("10.1:80", "10.0.0.1 80"),
        ("1:2", "0.0.0.1 2"),
        ("0x0a000001:80", "10.0.0.1 80"),
        ("012.0.0.1:+080", "10.0.0.1 80"),
        ("10.0.0.1 :80", "10.0.0.1 80"),
        ("rs9:http", "10.0.0.9 80"),
        ("[2001:db8::1]:80", "2001:db8::1 80"),
        ("2001:db8::1", "2001:db8::1 None"),
        ("2001:db8::1:80", "2001:db8::1:80 None"),
        ("[10.0.0.1]:80", "10.0.0.1 None"),
        ("[rs9:7]:80", "10.0.0.9 7"),
    ],
)
def test_forms_that_are_accepted(text: str, result: str) -> None:
    assert parsed(text) == result


@pytest.mark.parametrize(
    "text",
    ["", "80", ":80", "10.0.0.1:", "10.0.0.1:65536", "10.0.0.1:-1", "10.0.0.1:80x", "10.0.0.1:HTTP", "10.0.0.1:domain",
     "300.1.1.1:80", " 10.0.0.1:80", "nobody:80", "six:80", "[2001:db8::1]", "[2001:db8::1", "[2001:db8::1]80",
     "[2001:db8::1]:", "[fe80::1%lo]:80", "::1:g", "\0:80"],
)  # fmt: skip
def test_forms_that_are_refused(text: str) -> None:
    assert parsed(text) is None


def test_service_names_need_a_protocol() -> None:
    assert parsed("10.0.0.1:domain", Protocol.UDP) == "10.0.0.1 53"
    assert parsed("10.0.0.1:http", None) is None


def test_without_names_only_numbers_work() -> None:
    assert parse_endpoint("rs9:80", Protocol.TCP, Resolver()) is None
    assert parse_endpoint("10.0.0.1:http", Protocol.TCP, Resolver()) is None


def printed(printer: EndpointPrinter, address: str, port: int, protocol: Protocol | None = Protocol.TCP) -> str:
    return printer.text(Address.parse(address), port, protocol)


def test_numbers() -> None:
    printer = EndpointPrinter()
    assert printed(printer, "10.0.0.9", 80) == "10.0.0.9:80"
    assert printed(printer, "2001:db8::9", 80) == "[2001:db8::9]:80"


def test_names_where_there_are_some() -> None:
    printer = EndpointPrinter(NAMES)
    assert printed(printer, "10.0.0.9", 80) == "rs9.example.com:http"
    assert printed(printer, "10.0.0.9", 80, Protocol.UDP) == "rs9.example.com:80"
    assert printed(printer, "10.0.0.9", 80, None) == "rs9.example.com:80"
    assert printed(printer, "2001:db8::9", 53, Protocol.UDP) == "[six]:domain"
    assert printed(printer, "10.0.0.7", 53) == "10.0.0.7:53"


def test_long_names_are_cut() -> None:
    assert printed(EndpointPrinter(NAMES), "10.0.0.8", 80) == "x" * 59


def test_a_name_is_looked_up_once() -> None:
    asked: list[str] = []

    class Counting(Resolver):
        def host_of(self, address: Address) -> str | None:
            asked.append(str(address))
            return None

    printer = EndpointPrinter(Counting())
    assert [printed(printer, "10.0.0.9", port) for port in (1, 2)] == ["10.0.0.9:1", "10.0.0.9:2"]
    assert asked == ["10.0.0.9"]
