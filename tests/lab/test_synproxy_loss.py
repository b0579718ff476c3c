# SPDX-License-Identifier: GPL-2.0-or-later
"""handshake.h between real stacks: any one packet of the two handshakes may get lost.

All cases run at once, each on a service and server port of its own, so that a rule on the wire finds its packet.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product

import pytest

from bpvs.director import Director
from bpvs.lab.wait import until
from tests.closing import reset_on_close
from tests.lab.balancing import Balanced, balanced
from tests.lab.guarded import ask, connected, guard, line_of, passed, talk, wire_rules
from tests.lab.talker import GREETING

pytestmark = pytest.mark.root

FIRST_PORT = 7100
DEAD_PORT, CLOSED_PORT = 7090, 7091
SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Loss:
    """What is lost once: the end that it comes from or goes to, and its flags among SYN, ACK, RST and FIN."""

    name: str
    where: str
    flags: str


LOSSES = (
    Loss("the client's SYN", "ip daddr {vip} tcp dport {port}", "syn"),
    Loss("the cookie", "ip saddr {vip} tcp sport {port}", "syn | ack"),
    Loss("the client's ACK", "ip daddr {vip} tcp dport {port}", "ack"),
    Loss("the SYN to the server", "ip daddr {server} tcp dport {port}", "syn"),
    Loss("the server's SYN, ACK", "ip saddr {server} tcp sport {port}", "syn | ack"),
    Loss("the ACK to the server", "ip daddr {server} tcp dport {port}", "ack"),
    Loss("the opening of the client's window", "ip saddr {vip} tcp sport {port}", "ack"),
)
CASES = [
    (FIRST_PORT + number, loss, is_eager) for number, (loss, is_eager) in enumerate(product(LOSSES, (True, False)))
]


@pytest.fixture(scope="module", params=[("nat", "ipv4"), ("fullnat", "ipv6")], ids=" ".join)
def site(request: pytest.FixtureRequest) -> Iterator[Balanced]:
    with balanced(*request.param) as made:
        ports = [port for port, _, _ in CASES] + [DEAD_PORT]
        talk(made, ports)
        guard(made, [*ports, CLOSED_PORT])
        yield made


def rule(site: Balanced, port: int, loss: Loss) -> str:
    where = loss.where.format(vip=site.vip, server=site.servers[0], port=port)
    return f"{where} tcp flags & (syn | ack | rst | fin) == {loss.flags} numgen inc mod 1000000 == 0 counter drop"


def converse(site: Balanced, port: int, _loss: Loss, is_eager: bool) -> float:
    """A client that speaks first, or waits for the server's first word; seconds until both have spoken."""
    begin = time.monotonic()
    with connected(site, port, SECONDS) as one:
        if is_eager:
            one.sendall(b"hello\n")
        assert line_of(one) == GREETING
        if is_eager:
            assert line_of(one) == b"hello\n"
        assert ask(one, "hello") == "hello"
    return time.monotonic() - begin


def test_any_packet_may_get_lost(site: Balanced) -> None:
    rules = [rule(site, port, loss) for port, loss, _ in CASES]
    with wire_rules(site, *rules), ThreadPoolExecutor(len(CASES)) as pool:
        running = [pool.submit(converse, site, *case) for case in CASES]
        failed = {}
        for (_, loss, is_eager), one in zip(CASES, running, strict=True):
            try:
                one.result()
            except (OSError, EOFError) as error:
                failed[f"{loss.name}, {'client' if is_eager else 'server'} first"] = error
        assert failed == {}
        assert passed(site) == [1] * len(CASES)


def test_a_refusal_may_get_lost(site: Balanced) -> None:
    """On either side of the director. The client says nothing from which the director could learn that it waits."""
    lost = "tcp flags & rst == rst numgen inc mod 1000000 == 0 counter drop"
    ends = (f"ip saddr {site.servers[0]} tcp sport {CLOSED_PORT}", f"ip saddr {site.vip} tcp sport {CLOSED_PORT}")
    with wire_rules(site, *(f"{end} {lost}" for end in ends)):
        with pytest.raises(ConnectionResetError), connected(site, CLOSED_PORT, SECONDS) as one:
            one.recv(1)
        assert passed(site) == [1, 1]


def test_a_dead_server_is_asked_again_at_growing_intervals(site: Balanced) -> None:
    """After one second and two more; then the client gives up here."""
    with site.net.director.inside():
        before = Director().verdicts()["HOLD_SYN"]
    lost = f"ip daddr {site.servers[0]} tcp dport {DEAD_PORT} counter drop"
    begin = time.monotonic()
    with wire_rules(site, lost), connected(site, DEAD_PORT, 0.1) as one:
        until(lambda: passed(site) == [2], "a second SYN")
        until(lambda: passed(site) == [3], "a third SYN")
        assert 2.9 < time.monotonic() - begin < 4.5
        with pytest.raises(TimeoutError):
            one.recv(1)
        with site.net.director.inside():
            assert Director().verdicts()["HOLD_SYN"] - before == 2
    (row,) = [row for row in site.connections() if row.virtual.endswith(f":{DEAD_PORT}")]
    assert row.state == "SYN_RECV"


def test_what_a_server_still_has_of_an_older_connection_ends() -> None:
    """Its answer to our SYN acknowledges something else; it is reset, and takes the SYN that comes a second later.

    NAT's server sees the client's own port, which comes back as soon as the client likes.
    """
    with balanced("nat", "ipv4") as site:
        talk(site, [FIRST_PORT])
        guard(site, [FIRST_PORT])
        lost = f"ip daddr {site.servers[0]} tcp flags & rst == rst numgen inc mod 1000000 == 0 counter drop"
        with wire_rules(site, lost):
            with connected(site, FIRST_PORT) as one:
                assert line_of(one) == GREETING
                port = one.getsockname()[1]
                reset_on_close(one)
            until(lambda: passed(site) == [1], "the reset to get lost behind the director")
            begin = time.monotonic()
            with connected(site, FIRST_PORT, port=port) as one:
                assert line_of(one) == GREETING
                assert ask(one, "hello") == "hello"
            assert time.monotonic() - begin < SECONDS
