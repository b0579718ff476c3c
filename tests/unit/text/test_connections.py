# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from bpvs.model import Address, Connection, Protocol, Timeouts
from bpvs.text.connections import connection_lines, connection_title, timeout_line
from bpvs.text.endpoint import EndpointPrinter

CLIENT, VIP, SERVER = (Address.parse(text) for text in ("10.9.0.2", "10.9.0.100", "10.0.1.11"))


def line(
    expires: float = 0, protocol: Protocol | None = Protocol.TCP, engine: str = "", with_engine: bool = False
) -> str:
    entry = Connection(
        protocol, CLIENT, 40000, VIP, 80, SERVER, 8080, "SYN_RECV", expires, engine, engine and "id@host"
    )
    return "".join(connection_lines([entry], EndpointPrinter(), with_engine))


def test_one_line_for_each_entry() -> None:
    assert line(897.9) == "TCP 14:57  SYN_RECV    10.9.0.2:40000     10.9.0.100:80      10.0.1.11:8080\n"


def test_minutes_may_grow() -> None:
    assert line(44640 * 60).split()[1] == "44640:00"
    assert line(0.99).split()[1] == "00:00"


def test_protocols() -> None:
    assert line(protocol=Protocol.SCTP).startswith("SCTP 00:00  SYN_RECV    10.9.0.2:40000     ")
    assert line(protocol=None).startswith("IP  00:00  ")


def test_the_engine_is_shown_on_request_only() -> None:
    plain = line()
    assert line(engine="sip") == plain
    assert line(with_engine=True) == plain
    assert line(engine="sip", with_engine=True) == f"{plain[:-1]}   sip                id@host\n"


def test_titles() -> None:
    assert connection_title(False).splitlines()[1].split() == [
        "pro",
        "expire",
        "state",
        "source",
        "virtual",
        "destination",
    ]
    assert connection_title(True).endswith("destination        pe name          pe_data\n")


def test_long_addresses_push_the_columns() -> None:
    six = Address.parse("2001:db8:1111:2222:3333:4444:5555:6666")
    entry = Connection(Protocol.TCP, six, 1, six, 2, SERVER, 3, "NONE", 1, "sip", "x")
    assert (
        list(connection_lines([entry, entry], EndpointPrinter(), True))
        == [f"TCP 00:01  NONE        [{six}]:1 [{six}]:2 10.0.1.11:3      sip                x\n"] * 2
    )


def test_timeouts() -> None:
    assert timeout_line(Timeouts(1, 2, 3)) == "Timeout (tcp tcpfin udp): 1 2 3\n"
