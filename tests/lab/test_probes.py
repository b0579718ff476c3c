# SPDX-License-Identifier: GPL-2.0-or-later
"""Probes through the virtual address: by way of one real server and its method, whoever is the scheduler's choice."""

from __future__ import annotations

import socket
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from bpvs.director import Director
from bpvs.director.identity import is_probe
from bpvs.director.probes import Probe
from bpvs.director.rows import read_rows
from bpvs.lab.host import Host
from bpvs.lab.shell import own_tool
from bpvs.model import Address, Method, Protocol, RealServer, ServiceKey
from tests.lab.balancing import KINDS, Balanced, balanced

pytestmark = pytest.mark.root

METHODS = {"nat": Method.NAT, "dr": Method.ROUTE, "tun": Method.TUNNEL, "fullnat": Method.FULLNAT}
SECONDS = 60
CHECK = """
import asyncio, sys
from bpvs.mon.monitors.registry import find
for report in asyncio.run(find("tcp.monitor")(sys.argv[1:], (), {})):
    print(report.host, "well:" if report.is_ok else "sick:", report.text)
"""


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Balanced]:
    with balanced(*request.param) as made:
        made.add()
        yield made


def each(*kinds: str, ipv6: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    rows = [(kind, "ipv4") for kind in kinds] + [(kind, "ipv6") for kind in ipv6]
    return pytest.mark.parametrize("site", rows, ids=[" ".join(row) for row in rows], indirect=True)


def director_of(site: Balanced) -> Director:
    return Director(site.net.director.name)


def key_of(site: Balanced) -> ServiceKey:
    return ServiceKey.at(Protocol.TCP, Address.parse(site.vip), 80)


def servers_of(site: Balanced) -> list[RealServer]:
    method = next(METHODS[name] for name, kind in KINDS.items() if kind is site.kind)
    return [RealServer(Address.parse(address), 80, method) for address in site.servers]


def own_source(site: Balanced) -> Address:
    """The director's own address, where the kernel might speak to far servers from the virtual one."""
    return Address.parse(site.net.vips.six(2) if site.is_ipv6 else site.net.vips.four(2))


def ask(host: Host, probe: Probe, virtual: str, seconds: float = 5.0) -> str:
    """The answer of the web server behind a probe; OSError."""
    family = socket.AF_INET6 if ":" in virtual else socket.AF_INET
    with host.inside():
        made = socket.socket(family)
    with made:
        made.settimeout(seconds)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, probe.mark)
        if probe.source is not None:
            made.bind((str(probe.source), 0))
        made.connect((virtual, 80))
        made.sendall(b"GET / HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n")
        answer = b""
        while more := made.recv(65536):
            answer += more
    return answer.decode().splitlines()[-1]


@each(*KINDS, ipv6=("dr", "tun"))
def test_each_server_answers_its_own_probe_and_nobody_elses(site: Balanced) -> None:
    source = None if site.kind is KINDS["nat"] else own_source(site)
    with director_of(site).probes(key_of(site), servers_of(site), SECONDS, source) as probes:
        for _ in range(3):
            assert [ask(site.net.director, probe, site.vip) for probe in probes] == ["one", "two", "three"]


@each("dr", "tun")
def test_a_server_without_the_virtual_address_is_found_out(site: Balanced) -> None:
    """Asked at its own address it answers as ever."""
    host, address = site.net.servers[0], site.servers[0]
    if site.kind is KINDS["tun"]:
        host.run(*own_tool("bpvs"), "realserver", "down").checked()
    else:
        site.net.network.configure(host, f"address delete {site.vip}/32 dev lo")
    with director_of(site).probes(key_of(site), servers_of(site), SECONDS) as probes:
        with pytest.raises(OSError, match=r"timed out|refused|No route"):
            ask(site.net.director, probes[0], site.vip, 2)
        assert [ask(site.net.director, probe, site.vip) for probe in probes[1:]] == ["two", "three"]
    assert site.net.director.curl("--max-time", "5", f"http://{address}/").checked().out.strip() == "one"


@each("dr", "nat")
def test_a_server_that_was_taken_out_can_still_be_probed_and_nobody_sees_it(site: Balanced) -> None:
    director = site.net.director
    director.ipvsadm("-d", *site.service(), "-r", f"{site.servers[0]}:80").checked()
    before = [director.ipvsadm(*words).checked().out for words in (("-S", "-n"), ("-L", "-n", "--stats"))]
    with director_of(site).probes(key_of(site), servers_of(site), SECONDS) as probes:
        assert [ask(director, probe, site.vip) for probe in probes] == ["one", "two", "three"]
        during = [director.ipvsadm(*words).checked().out for words in (("-S", "-n"), ("-L", "-n", "--stats"))]
    assert during == before
    assert Counter(site.ask(4)) == {"two": 2, "three": 2}


def checked(site: Balanced, *words: str) -> list[str]:
    """What tcp.monitor says of all servers, a line for each."""
    done = site.net.director.run(sys.executable, "-c", CHECK, "-t", "2", *words, *site.servers)
    return done.checked().out.splitlines()


@each("dr")
def test_a_monitor_sees_through_the_virtual_address_what_it_does_not_see_beside_it(site: Balanced) -> None:
    """Also of a server that is out of the table by then; and it leaves no way open."""
    one, two, three = site.servers
    site.net.network.configure(site.net.servers[0], f"address delete {site.vip}/32 dev lo")
    site.net.director.ipvsadm("-d", *site.service(), "-r", f"{two}:80").checked()
    assert checked(site, "-p", "80") == [f"{server} well: port 80 open" for server in site.servers]
    through = checked(site, "-p", "80", "--via", site.vip)
    assert through == [f"{one} sick: no answer within 2 s", f"{two} well: port 80 open", f"{three} well: port 80 open"]
    missing = f"sick: TCP {site.vip}:81 is no virtual service of this director"
    assert checked(site, "-p", "80", "--via", f"{site.vip}:81") == [f"{server} {missing}" for server in site.servers]
    with site.net.director.inside():
        instance = Director().instance()
        assert instance
        assert list(map(is_probe, read_rows(instance))) == [False]
