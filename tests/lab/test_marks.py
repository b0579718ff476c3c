# SPDX-License-Identifier: GPL-2.0-or-later
"""Services by firewall mark between real stacks: nftables marks in PREROUTING, as every guide to LVS does it."""

from __future__ import annotations

import fcntl
import json
import os
import random
import select
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import pytest
from scapy.layers.inet import IP, TCP

from bpvs.lab.host import Host
from bpvs.lab.topology import Routed
from bpvs.model import Family
from bpvs.net import detour
from tests.lab.balancing import KINDS, Balanced, balanced, text
from tests.lab.test_writers import kill_after, lifetime

pytestmark = pytest.mark.root

MARK = 7
FAMILIES = ("ipv4", "ipv6")
ELSEWHERE = {"ipv4": "10.50.0.1", "ipv6": "fd50::1"}  # nobody's; the client's packets for it come to the director
KILLS = 24


def mark(host: Host, address: str, what: str = "tcp dport { 80, 443 }", number: int = MARK) -> None:
    """Have netfilter mark what is for that address."""
    match = f"{'ip6' if ':' in address else 'ip'} daddr {address} {what} meta mark set {number}"
    host.run(
        "nft",
        "-f",
        "-",
        stdin=f"table inet marks {{ chain c {{ type filter hook prerouting priority -150; {match}; }}; }}\n",
    ).checked()


def forward(host: Host) -> None:
    host.set_sysctl("net.ipv4.ip_forward", 1)
    host.set_sysctl("net.ipv6.conf.all.forwarding", 1)


def service(is_ipv6: bool) -> str:
    return f"-f {MARK} -6" if is_ipv6 else f"-f {MARK}"


def add(site: Balanced) -> None:
    """The service by mark with its three servers, on the port that a packet is for."""
    name = service(site.is_ipv6)
    lines = [f"-A {name} -s rr"]
    if site.kind.option == "-b":
        lines += [f"-P {name} -z {local}" for local in site.locals]
    lines += [f"-a {name} -r {text(server)}:0 {site.kind.option}" for server in site.servers]
    site.net.director.ipvsadm("-R", stdin="\n".join(lines) + "\n").checked()


def ask(site: Balanced, address: str, port: int, count: int = 3) -> list[str]:
    urls = [f"http://{text(address)}:{port}/?{number}" for number in range(count)]
    return site.net.client.curl("-g", "-H", "Connection: close", "--max-time", "10", *urls).checked().out.splitlines()


def routing(host: Host) -> str:
    """Rules, routes and interfaces; without the siding, which comes with the data plane."""
    listings = (("rule",), ("-6", "rule"), ("route", "show", "table", "all"), ("-6", "route", "show", "table", "all"))
    told = [host.run("ip", "-d", *words).checked().out for words in listings]
    names = [line for line in host.run("ip", "-br", "link").checked().out.splitlines() if not line.startswith("bpvs-")]
    ours = [line for line in host.run("ip", "-br", "link").out.splitlines() if line.startswith((detour.OUT, detour.IN))]
    return "\n".join([*told, *names, *ours])


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Balanced]:
    with balanced(*request.param) as made:
        forward(made.net.director)
        yield made


def sites(*kinds: str) -> pytest.MarkDecorator:
    rows = list(product(kinds, FAMILIES))
    return pytest.mark.parametrize("site", rows, ids=[" ".join(row) for row in rows], indirect=True)


@sites(*KINDS)
def test_two_ports_of_a_local_address_are_one_service(site: Balanced) -> None:
    """Connections of both ports take the servers in one turn, and are counted by one service."""
    site.net.serve(443)
    mark(site.net.director, site.vip)
    before = routing(site.net.director)
    add(site)
    assert [ask(site, site.vip, port, 1) for port in (80, 443, 80, 443, 80)] == [
        [name] for name in ("three", "two", "one", "three", "two")
    ]
    found = {row.virtual for row in site.connections()}
    assert found == {f"{text(site.vip)}:80", f"{text(site.vip)}:443"}
    site.net.director.ipvsadm("-C").checked()
    assert routing(site.net.director) == before


@sites("nat", "dr", "tun")
def test_an_address_that_is_not_the_directors(site: Balanced) -> None:
    """Packets for it are routed to the director, the servers have it (or not, by NAT); no server answers elsewhere."""
    virtual = ELSEWHERE["ipv6" if site.is_ipv6 else "ipv4"]
    net = site.net
    if net.router is not net.director:
        net.network.configure(
            net.router, f"route add {virtual} via {net.vips.six(2) if site.is_ipv6 else net.vips.four(2)}"
        )
    if site.kind.option != "-m":
        for server in net.servers:
            net.network.configure(server, f"address add {virtual}/{128 if site.is_ipv6 else 32} dev lo")
        if site.kind.option == "-i":
            for server in net.servers:
                server.bpvs("realserver", "up", "--vip", virtual).checked()
    mark(net.director, virtual)
    add(site)
    assert ask(site, virtual, 80) == ["three", "two", "one"]


GUIDE = (f"rule add fwmark {MARK} lookup 100", "route add local 0.0.0.0/0 dev lo table 100")


@pytest.fixture
def nat() -> Iterator[Balanced]:
    with balanced("nat", "ipv4") as made:
        yield made


def test_the_guides_local_routes_stay_and_matter_to_what_is_not_balanced(nat: Balanced) -> None:
    """What cannot be balanced, here a ping, goes up the stack by them, as with IPVS: once, and not round and round."""
    virtual, net = ELSEWHERE["ipv4"], nat.net
    net.network.configure(net.director, *GUIDE)
    mark(net.director, virtual, "meta l4proto { tcp, icmp }")
    rule = "icmp type echo-request counter"
    table = f"table ip seen {{ chain c {{ type filter hook input priority 0; {rule}; }}; }}\n"
    net.director.run("nft", "-f", "-", stdin=table).checked()
    before = routing(net.director)
    add(nat)
    assert ask(nat, virtual, 80) == ["three", "two", "one"]
    net.client.run("ping", "-c", "1", "-W", "1", virtual)
    assert f"{rule} packets 1 " in net.director.run("nft", "list", "ruleset").checked().out
    net.director.ipvsadm("-D", "-f", str(MARK)).checked()
    assert routing(net.director) == before


REFUSED, TIMED_OUT = 7, 28  # exit codes of curl


def test_without_a_server_the_client_is_told_if_the_address_is_the_directors_else_nothing(nat: Balanced) -> None:
    director, client = nat.net.director, nat.net.client
    mark(director, nat.vip)
    director.ipvsadm("-A", "-f", str(MARK), "-s", "rr").checked()
    assert client.curl("--max-time", "5", f"http://{nat.vip}/").code == REFUSED
    director.run("nft", "flush", "ruleset").checked()
    nat.net.network.configure(director, f"route add default via {nat.client}")
    mark(director, ELSEWHERE["ipv4"])
    assert client.curl("--max-time", "1.5", f"http://{ELSEWHERE['ipv4']}/").code == TIMED_OUT
    assert "no server" in director.bpvs("status").checked().out


@pytest.mark.parametrize("value", [0, 1, 2])
def test_source_checks_of_any_strictness(nat: Balanced, value: int) -> None:
    director = nat.net.director
    for name in ("all", "default", "ext", "int"):
        director.set_sysctl(f"net.ipv4.conf.{name}.rp_filter", value)
    mark(director, nat.vip, "meta l4proto { tcp, icmp }")
    add(nat)
    assert ask(nat, nat.vip, 80) == ["three", "two", "one"]
    assert nat.net.client.run("ping", "-c", "1", "-W", "2", nat.vip).code == 0


@pytest.mark.parametrize("kind", ["filter", "route"])
def test_a_client_on_the_director_whose_packets_are_marked_in_output(nat: Balanced, kind: str) -> None:
    director = nat.net.director
    rule = f"ip daddr {nat.vip} tcp dport 80 meta mark set {MARK}"
    table = f"table inet marks {{ chain c {{ type {kind} hook output priority -150; {rule}; }}; }}\n"
    director.run("nft", "-f", "-", stdin=table).checked()
    add(nat)
    answers = [director.curl("--max-time", "5", f"http://{nat.vip}/").checked().out.strip() for _ in range(3)]
    assert answers == ["three", "two", "one"]


def test_a_packets_ttl_is_lowered_once(nat: Balanced) -> None:
    """Also of the first, which the kernel routed, and whose TTL it has lowered."""
    director, server = nat.net.director, nat.net.servers[2]
    counting = (
        "table ip c { chain i { type filter hook input priority 0; tcp dport 80 ip ttl != 63 counter drop; }; }\n"
    )
    server.run("nft", "-f", "-", stdin=counting).checked()
    mark(director, nat.vip)
    add(nat)
    assert ask(nat, nat.vip, 80, 1) == ["three"]


def test_what_others_do_to_rules_and_interfaces_is_mended_by_the_next_change(nat: Balanced) -> None:
    director = nat.net.director
    mark(director, nat.vip)
    before = routing(director)
    add(nat)
    standing = sorted(director.run("ip", "rule").out.splitlines())
    for damage in ("ip link delete bpvs-m", "ip link set bpvs-n down", f"ip rule delete fwmark {MARK}"):
        director.run(*damage.split()).checked()
        director.ipvsadm("--set", "0", "0", "0").checked()
        assert ask(nat, nat.vip, 80) == ["three", "two", "one"]
        assert sorted(director.run("ip", "rule").out.splitlines()) == standing
    director.bpvs("down").checked()
    assert routing(director) == before


def test_a_local_rule_that_somebody_has_moved_stays_there(nat: Balanced) -> None:
    director = nat.net.director
    nat.net.network.configure(director, "rule add pref 100 lookup local", "rule delete pref 0")
    mark(director, nat.vip)
    before = routing(director)
    add(nat)
    assert ask(nat, nat.vip, 80) == ["three", "two", "one"]
    director.ipvsadm("-C").checked()
    assert routing(director) == before


def test_commands_killed_at_any_moment_leave_a_director_that_works_and_can_be_undone(nat: Balanced) -> None:
    """The local table is looked up at every moment: the director answers pings throughout."""
    director = nat.net.director
    mark(director, nat.vip)
    before = routing(director)
    add(nat)
    service_lines = f"-A -f {MARK} -s rr\n-a -f {MARK} -r {nat.servers[0]}:80 -m\n"
    director.ipvsadm("-C").checked()
    longest = lifetime(director, service_lines)
    chance = random.Random(23)  # noqa: S311 - the same moments in every run, as far as the machine allows
    killed = 0
    for number in range(KILLS):
        lines = "-C\n" if number % 2 == 0 else service_lines
        killed += kill_after(director, chance.uniform(0.3, 1) * longest, lines, "-R") != 0
        assert nat.net.client.run("ping", "-c", "1", "-W", "2", nat.net.clients.four(1)).code == 0
    assert killed >= KILLS // 6
    director.ipvsadm("-R", stdin=f"-C\n{service_lines}").checked()
    assert ask(nat, nat.vip, 80) == ["one"] * 3
    kill_after(director, longest / 2, "-C\n", "-R")
    director.bpvs("down").checked()
    assert routing(director) == before


def test_loaded_anew_with_a_table_that_stays(bare: Routed) -> None:
    """`bpvs up` builds what is gone."""
    director = bare.director
    director.ipvsadm("-A", "-f", str(MARK), "-s", "rr").checked()
    director.run("ip", "link", "delete", detour.OUT).checked()
    director.bpvs("up").checked()
    with director.inside():
        assert detour.is_led(Family.IPV4, {MARK})


@pytest.mark.parametrize(("option", "setting"), [("", "net.ipv4.ip_forward"), ("-6", "net.ipv6.conf.all.forwarding")])
def test_who_adds_a_service_where_forwarding_is_off_is_told_unless_a_rule_of_ours_marks(
    bare: Routed, option: str, setting: str
) -> None:
    """The service is in force all the same; the doctor tells too."""
    director, words = bare.director, ("-f", str(MARK), *([option] if option else []))
    for value, told in ((1, False), (0, True)):
        director.set_sysctl(setting, value)
        done = director.ipvsadm("-A", *words).checked()
        assert (f"{setting} is 0: what netfilter marks does not reach services by mark" in done.err) == told
        assert f"FWM  {MARK}" in director.ipvsadm("-L", "-n").checked().out
        findings = json.loads(director.bpvs("doctor", "--json").out)["findings"]
        assert [one["level"] for one in findings if one["subject"] == "detour"] == ["yellow" if told else "green"]
        director.ipvsadm("-D", *words).checked()
    director.bpvs("mark", "add", "--dst", "fd09::100" if option else "10.9.0.100", "--mark", str(MARK)).checked()
    assert director.ipvsadm("-A", *words).checked().err == ""


def test_a_persistent_client_keeps_its_server_over_both_ports(nat: Balanced) -> None:
    """HTTP and HTTPS as one service, which is what marks are mostly for."""
    nat.net.serve(443)
    mark(nat.net.director, nat.vip)
    lines = [f"-A -f {MARK} -s rr -p 300", *(f"-a -f {MARK} -r {server} -m" for server in nat.servers)]
    nat.net.director.ipvsadm("-R", stdin="\n".join(lines) + "\n").checked()
    answers = [ask(nat, nat.vip, port, 1)[0] for port in (80, 443, 443, 80)]
    assert answers == ["three"] * 4
    listed = nat.net.director.ipvsadm("-L", "-c", "-n").checked().out
    assert f"0.0.0.{MARK}:0" in listed


def test_synproxy_answers_by_the_way_that_the_kernel_finds(nat: Balanced) -> None:
    """The cookie, and what becomes of the client's answer to it, both come by the detour."""
    mark(nat.net.director, nat.vip)
    lines = [f"-A -f {MARK} -s rr -j enable", *(f"-a -f {MARK} -r {server} -m" for server in nat.servers)]
    nat.net.director.ipvsadm("-R", stdin="\n".join(lines) + "\n").checked()
    assert ask(nat, nat.vip, 80) == ["three", "two", "one"]
    assert "cookie" in nat.net.director.bpvs("status").checked().out


TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # include/uapi/linux/if_tun.h


@contextmanager
def tunnel_end(host: Host) -> Iterator[int]:
    """An interface tun0 on the host, without Ethernet frames, and the file of whoever is at its other end."""
    with host.inside():
        end = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH", b"tun0", IFF_TUN | IFF_NO_PI))
        yield end
    finally:
        os.close(end)


def received(end: int) -> TCP:
    """The next TCP segment that comes out of a tunnel; what the host says of itself is passed over."""
    while select.select([end], [], [], 5)[0]:
        packet = os.read(end, 2048)
        if packet[0] >> 4 == 4 and TCP in IP(packet):
            return IP(packet)[TCP]
    raise AssertionError("no segment came out of the tunnel")


def test_clients_behind_interfaces_without_ethernet_frames(nat: Balanced) -> None:
    """No program of ours sees what these bring, but the detour brings every packet that netfilter marks."""
    director = nat.net.director
    mark(director, nat.vip)
    add(nat)
    with tunnel_end(director) as end:
        nat.net.network.configure(director, "link set tun0 up", "address add 10.77.0.1/24 dev tun0")
        head = IP(src="10.77.0.2", dst=nat.vip)
        os.write(end, bytes(head / TCP(sport=5555, dport=80, flags="S", seq=1)))
        answer = received(end)
        assert answer.flags == "SA"
        os.write(end, bytes(head / TCP(sport=5555, dport=80, flags="A", seq=2, ack=answer.seq + 1)))
        (row,) = nat.connections()
    assert (row.state, row.client) == ("ESTABLISHED", "10.77.0.2:5555")
