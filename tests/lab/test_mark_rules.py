# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs mark` between real stacks: rules of ours in the place of netfilter's, at TC and XDP."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator

import pytest

from bpvs.lab.shell import own_tool
from bpvs.lab.topology import Routed
from tests.lab.balancing import KINDS, Balanced, balanced
from tests.lab.test_marks import add, ask, mark
from tests.lab.test_writers import traffic

pytestmark = pytest.mark.root

RULE = "--dst 10.9.0.100 --proto tcp --dport 80 --mark 7"
KILLS = 30


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Balanced]:
    with balanced(*request.param) as made:
        yield made


@pytest.mark.parametrize(
    "site",
    [(kind, family, "xdp" if kind in ("dr", "fullnat") else "tc") for kind in KINDS for family in ("ipv4", "ipv6")],
    ids=" ".join,
    indirect=True,
)
def test_two_ports_are_one_service_without_netfilter_and_without_forwarding(site: Balanced) -> None:
    """By NAT the director is a router; by the other ways it forwards nothing itself, as with IPVS."""
    net = site.net
    assert (net.director.get_sysctl("net.ipv4.ip_forward") == "1") == (site.kind.option == "-m")
    net.serve(443)
    add(site)
    net.director.bpvs("mark", "add", "--dst", site.vip, "--proto", "tcp", "--dport", "80,443", "--mark", "7").checked()
    answers = [ask(site, site.vip, port, 1)[0] for port in (80, 443, 80, 443, 80)]
    assert answers == ["three", "two", "one", "three", "two"]


def test_the_words_that_a_rule_is_added_listed_saved_restored_and_removed_by(bare: Routed) -> None:
    director = bare.director
    assert director.bpvs("mark", "list").checked().out == "no rules\n"
    first, second = "--dst 10.9.0.100 --proto tcp --dport 80 --mark 7", "--dst fd09::/64 --in ext --mark 8"
    director.bpvs("mark", "add", *second.split()).checked()
    director.bpvs("mark", "add", *first.split(), "--at", "1").checked()
    assert director.bpvs("mark", "list").checked().out == f"1  {first}\n2  {second}\n"
    assert [one["mark"] for one in json.loads(director.bpvs("mark", "list", "--json").out)["rules"]] == [7, 8]
    saved = director.bpvs("mark", "save").checked().out
    assert saved == f"{first}\n{second}\n"
    for words, sentence in (
        (("add", *first.split()), "there is this rule already, number 1"),
        (("add", "--dst", "10.0.0.1", "--mark", "1", "--at", "9"), "there is no place 9: 1 to 3"),
        (("delete", "3"), "there is no rule 3: `bpvs mark list` shows 2"),
        (("delete", "--dst", "10.0.0.1", "--mark", "1"), "there is no rule --dst 10.0.0.1 --mark 1"),
    ):
        refused = director.bpvs("mark", *words)
        assert (refused.code, refused.err) == (1, f"bpvs mark: {sentence}\n")
    director.bpvs("mark", "delete", "1").checked()
    director.bpvs("mark", "delete", *second.split()).checked()
    assert director.bpvs("mark", "save").checked().out == ""
    director.bpvs("mark", "restore", stdin=f"# two\n\n{saved}").checked()
    assert director.bpvs("mark", "save").checked().out == saved
    refused = director.bpvs("mark", "restore", stdin=f"{first}\n--dst 10.0.0.1\n")
    assert (refused.code, refused.err) == (1, "bpvs mark: line 2: --mark is missing\n")
    assert director.bpvs("mark", "save").checked().out == saved
    director.bpvs("mark", "clear").checked()
    assert director.bpvs("mark", "list").checked().out == "no rules\n"


@pytest.fixture
def serving(net: Routed) -> Routed:
    """Web servers on port 8080 behind a service by mark, and the rule that makes requests its."""
    lines = [f"-a -f 7 -r {address}:8080 -m" for address in net.addresses]
    net.director.ipvsadm("-R", stdin="\n".join(["-A -f 7 -s rr", *lines, ""])).checked()
    net.director.bpvs("mark", "restore", stdin=f"{RULE}\n").checked()
    return net


def test_rules_change_all_at_once_for_packets_also_when_the_command_is_killed(serving: Routed) -> None:
    """Every list has the rule, in another place behind others that do not matter; no request finds half a list."""
    chance = random.Random(24)  # noqa: S311 - the same moments in every run, as far as the machine allows
    killed = 0
    with traffic(serving) as problems:
        for number in range(KILLS):
            others = [f"--dst 10.99.{number}.{one} --mark 1" for one in range(chance.randrange(200))]
            lines = "\n".join([*others, RULE, *others[:50:-1]]) + "\n"
            process = subprocess.Popen(
                serving.director.argv([*own_tool("bpvs"), "mark", "restore"]), stdin=subprocess.PIPE, text=True
            )
            try:
                process.communicate(lines, timeout=chance.uniform(0.05, 0.3))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed += 1
            assert RULE in serving.director.bpvs("mark", "save").checked().out.splitlines()
    assert problems == []
    assert killed >= KILLS // 10


def test_a_rule_for_an_interface_finds_it_when_it_comes(serving: Routed) -> None:
    director = serving.director
    director.run("ip", "link", "set", "ext", "down", "name", "later").checked()
    director.bpvs("mark", "restore", stdin=f"{RULE} --in ext\n").checked()
    assert director.bpvs("mark", "list").checked().out.endswith("--in ext --mark 7  (no such interface)\n")
    director.run("ip", "link", "set", "later", "up", "name", "ext").checked()
    director.bpvs("up").checked()
    assert director.bpvs("mark", "list").checked().out.endswith("--in ext --mark 7\n")
    assert serving.client.curl("--max-time", "10", f"http://{serving.vip}/").checked().out == "three\n"
    director.bpvs("mark", "restore", stdin=f"{RULE} --in int\n").checked()
    assert serving.client.curl("--max-time", "5", f"http://{serving.vip}/").code != 0


def test_a_rule_comes_before_netfilter_and_one_with_mark_0_leaves_packets_to_it(serving: Routed) -> None:
    director = serving.director
    director.ipvsadm("-R", stdin="-A -f 8 -s rr\n-a -f 8 -r 10.0.1.11:8080 -m\n").checked()
    mark(director, serving.vip, number=8)
    ask_one = ("--max-time", "5", f"http://{serving.vip}/")
    assert [serving.client.curl(*ask_one).checked().out for _ in range(2)] == ["three\n", "two\n"]
    director.bpvs("mark", "add", *RULE.replace("--mark 7", "--mark 0").split(), "--at", "1").checked()
    assert [serving.client.curl(*ask_one).checked().out for _ in range(2)] == ["one\n", "one\n"]
