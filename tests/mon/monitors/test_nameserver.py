# SPDX-License-Identifier: GPL-2.0-or-later
"""dns.monitor and dns-query.monitor before name servers that agree, disagree and do not answer."""

from __future__ import annotations

import dns.flags
import dns.message
import pytest
from dns.message import Message

from bpvs.text.errors import UsageError
from tests.mon.monitors.nameservers import Answer, name_servers, saying, silent, soa, zone
from tests.mon.monitors.servers import check

MASTER, SECOND, SLAVE = "127.0.0.11", "127.0.0.12", "127.0.0.13"
ORG = ("-zone", "example.org")


def _long_by_udp(question: Message, is_tcp: bool) -> Message:
    if is_tcp:
        return zone(soa(7))(question, is_tcp)  # type: ignore[return-value]
    made = dns.message.make_response(question)
    made.flags |= dns.flags.TC
    return made


def _another_question(question: Message, is_tcp: bool) -> Message:
    question.id ^= 1
    return dns.message.make_response(question)


def _garbage(question: Message, is_tcp: bool) -> bytes:
    return b"\0\3abc" if is_tcp else b"garbage"


SLAVES: dict[str, tuple[Answer, list[str], bool, str]] = {
    "agrees": (zone(soa(7)), [], True, "example.org serial 7"),
    "agrees by TCP": (zone(soa(7)), ["-tcp"], True, "example.org serial 7"),
    "too long for UDP": (_long_by_udp, [], True, "example.org serial 7"),
    "behind": (zone(soa(5)), [], False, "example.org serial 5, the master's is 7"),
    "ahead": (zone(soa(9)), [], False, "example.org serial 9, the master's is 7"),
    "near enough": (zone(soa(5)), ["-serial_threshold", "2"], True, "example.org serial 5"),
    "a step too far": (zone(soa(4)), ["-serial_threshold=2"], False, "example.org serial 4, the master's is 7"),
    "not authoritative": (zone(soa(7), is_authoritative=False), [], False, "not authoritative for example.org"),
    "no such zone": (zone(), [], False, "example.org SOA: NXDOMAIN"),
    "no SOA": (zone("example.org. A 192.0.2.1"), [], False, "example.org SOA: 0 records, one was expected"),
    "refuses": (saying("REFUSED"), [], False, "example.org SOA: REFUSED"),
    "silent by TCP": (silent, ["-tcp", "-timeout", "2"], False, "no answer within 2 s"),
    "garbage": (_garbage, [], False, "no DNS answer: it cannot be read"),
    "garbage by TCP": (_garbage, ["-tcp"], False, "no DNS answer: it cannot be read"),
    "forged by TCP": (_another_question, ["-tcp"], False, "its answer is to another question"),
}


@pytest.mark.parametrize("name", SLAVES)
def test_a_slave(name: str) -> None:
    answer, arguments, is_ok, text = SLAVES[name]
    with name_servers({MASTER: zone(soa(7)), SLAVE: answer}) as port:
        (report,) = check("dns.monitor", ["-p", str(port), "-master", MASTER, *ORG, *arguments], SLAVE)
    assert (report.host, report.is_ok, report.text) == (SLAVE, is_ok, text)


def test_no_name_server() -> None:
    with name_servers({MASTER: zone(soa(7))}) as port:
        words = ["-p", str(port), "-master", MASTER, *ORG]
        (udp,) = check("dns.monitor", words, SLAVE)
        (tcp,) = check("dns.monitor", [*words, "-tcp"], SLAVE)
    assert (udp.is_ok, udp.text) == (False, "port unreachable: nobody listens")
    assert (tcp.is_ok, tcp.text) == (False, "connection refused")


def test_several_zones() -> None:
    net = soa(3, "example.net.")
    with name_servers({MASTER: zone(soa(7), net), SLAVE: zone(soa(6), net)}) as port:
        words = ["-p", str(port), "-master", MASTER, *ORG, "-zone", "example.net"]
        well, bad = check("dns.monitor", words, MASTER, SLAVE)
        (verbose,) = check("dns.monitor", [*words, "-debug"], SLAVE)
    assert (well.is_ok, well.text) == (True, "example.org serial 7, example.net serial 3")
    assert (bad.is_ok, bad.text) == (False, "example.org serial 6, the master's is 7")
    assert (bad.detail, verbose.detail) == ("", "example.org serial 6\nexample.net serial 3")


@pytest.mark.parametrize(("new", "old"), [(7, 5), (1, 0xFFFFFFFF)])
def test_the_master_that_is_ahead_counts(new: int, old: int) -> None:
    with name_servers({MASTER: zone(soa(old)), SECOND: zone(soa(new)), SLAVE: zone(soa(new))}) as port:
        slave, blamed = check("dns.monitor", ["-p", str(port), "-master", MASTER, "-master", SECOND, *ORG], SLAVE)
    assert slave.is_ok
    assert (blamed.host, blamed.is_ok) == (MASTER, False)
    assert blamed.text == f"example.org serial {old}, the master's is {new}"


def test_silent_and_forged() -> None:
    servers = {MASTER: zone(soa(7)), SLAVE: silent, SECOND: _another_question}
    with name_servers(servers) as port:
        words = ["-p", str(port), "-master", MASTER, *ORG, "-retransmit", "1"]
        reports = check("dns.monitor", words, SLAVE, SECOND)
    assert [(report.is_ok, report.text) for report in reports] == [(False, "no answer, asked 2 times in 2 s")] * 2


def test_one_master_that_is_silent() -> None:
    with name_servers({MASTER: silent, SECOND: zone(soa(7)), SLAVE: zone(soa(7))}) as port:
        words = ["-p", str(port), "-master", MASTER, "-master", SECOND, *ORG, "-retry", "1", "-retransmit", "2"]
        (slave,) = check("dns.monitor", words, SLAVE)
        strict = check("dns.monitor", [*words, "-failsingle"], SLAVE)
    assert slave.is_ok
    assert [(report.host, report.is_ok) for report in strict] == [(SLAVE, True), (MASTER, False)]
    assert strict[1].text == "master: no answer, asked once in 2 s"


def test_without_a_master_the_master_is_to_blame() -> None:
    with name_servers({MASTER: saying("SERVFAIL"), SLAVE: zone(soa(7))}) as port:
        slave, master = check("dns.monitor", ["-p", str(port), "-master", MASTER, *ORG], SLAVE)
    assert (slave.is_ok, slave.text) == (True, "example.org serial 7")
    assert (master.host, master.is_ok, master.text) == (MASTER, False, "master: example.org SOA: SERVFAIL")


RECORDS = zone(
    "www.example.org. A 192.0.2.1 | 192.0.2.2",
    "web.example.org. A 192.0.2.2",
    "old.example.org. A 192.0.2.9",
    "www.example.org. AAAA 2001:db8::1",
    "example.org. MX 10 mail.example.org.",
    is_authoritative=False,
)
QUERIES: dict[str, tuple[str, bool, str]] = {
    "addresses by default": ("www.example.org", True, "1 answered"),
    "a type": ("example.org:MX", True, "1 answered"),
    "a value": ("www.example.org:A:192.0.2.1", True, "1 answered"),
    "a value with colons": ("www.example.org:AAAA:2001:db8::1", True, "1 answered"),
    "a value with its dot": ("example.org:mx:10 mail.Example.org", True, "1 answered"),
    "a name that shares a value": ("www.example.org:A:web.example.org", True, "1 answered"),
    "another value": (
        "www.example.org:A:192.0.2.3",
        False,
        "www.example.org A: 192.0.2.1 192.0.2.2, wanted is 192.0.2.3",
    ),
    "a name that shares none": (
        "web.example.org:A:old.example.org",
        False,
        "web.example.org A: 192.0.2.2, wanted is old.example.org",
    ),
    "no such name": ("ftp.example.org", False, "ftp.example.org A: NXDOMAIN"),
    "no such type": ("web.example.org:AAAA", False, "web.example.org AAAA: no such records"),
}


@pytest.mark.parametrize("name", QUERIES)
def test_queries(name: str) -> None:
    query, is_ok, text = QUERIES[name]
    with name_servers({SLAVE: RECORDS}) as port:
        (report,) = check("dns.monitor", ["-p", str(port), "-caching_only", "-query", query], SLAVE)
    assert (report.is_ok, report.text) == (is_ok, text)


def test_every_query_is_to_be_answered() -> None:
    words = ["-caching_only", "-query", "www.example.org", "-query", "example.org:MX"]
    with name_servers({SLAVE: RECORDS}) as port:
        (report,) = check("dns.monitor", ["-p", str(port), *words, "-debug"], SLAVE)
        (bad,) = check("dns.monitor", ["-p", str(port), *words, "-query", "example.org:TXT"], SLAVE)
    assert (report.text, report.detail) == (
        "2 answered",
        "www.example.org A: 192.0.2.1 192.0.2.2\nexample.org MX: 10 mail.example.org.",
    )
    assert bad.text == "example.org TXT: no such records"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("", "dns.monitor: at least one -zone and one -master are wanted, or -caching_only and -query"),
        (
            "-zone example.org",
            "dns.monitor: at least one -zone and one -master are wanted, or -caching_only and -query",
        ),
        ("-caching_only", "dns.monitor: -caching_only wants at least one -query name[:type[:value]]"),
        ("-query a:NONESUCH", "dns.monitor: -query: 'NONESUCH' is no type of the DNS: right would be A or MX"),
        ("-zone a..b", "dns.monitor: -zone: 'a..b' is no name of the DNS"),
    ],
)
def test_arguments_that_make_no_sense(arguments: str, sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        check("dns.monitor", arguments)
    assert str(error.value) == sentence


def test_dns_query() -> None:
    with name_servers({SLAVE: zone("mailhost. A 192.0.2.1"), SECOND: zone(), MASTER: silent}) as port:
        well, none = check("dns-query.monitor", f"-p {port}", SLAVE, SECOND)
        (dead,) = check("dns-query.monitor", f"-p {port} -retransmit 0.2", MASTER)
        (named,) = check("dns-query.monitor", f"-p {port} -n www.example.org", SLAVE)
    assert (well.is_ok, well.text) == (True, "mailhost A: 192.0.2.1")
    assert not none.is_ok
    assert none.text.endswith("mailhost A: NXDOMAIN")
    assert (dead.is_ok, dead.text) == (False, "no answer, asked 2 times in 0.4 s")
    assert (named.is_ok, named.text) == (False, "www.example.org A: NXDOMAIN")
