# SPDX-License-Identifier: GPL-2.0-or-later
"""ping.monitor and fping.monitor in a namespace whose kernel answers echoes, or does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpvs.lab.host import Host
from bpvs.lab.network import Network
from tests.mon.monitors.servers import check

pytestmark = pytest.mark.root

EVERYBODY, NOBODY = "0 2147483647", "1 0"  # who may send echoes without being root: the socket is another


@pytest.fixture
def host() -> Iterator[Host]:
    with Network() as network:
        yield network.host("pinger")


@pytest.fixture
def silent(host: Host) -> Host:
    host.set_sysctl("net.ipv4.icmp_echo_ignore_all", 1)
    host.set_sysctl("net.ipv6.icmp.echo_ignore_all", 1)
    return host


@pytest.mark.parametrize("allowed", [EVERYBODY, NOBODY], ids=["datagrams", "raw"])
def test_many_hosts_of_both_families(host: Host, allowed: str) -> None:
    host.set_sysctl("net.ipv4.ping_group_range", allowed)
    hosts = [*(f"127.1.{n // 250}.{n % 250 + 1}" for n in range(1000)), "::1", "[::1]"]
    with host.inside():
        reports = check("ping.monitor", "-t 20", *hosts)
    assert [report.host for report in reports] == hosts
    for report in reports:
        assert report.is_ok, report
        assert re.fullmatch(r"1 of 1 echo answered, the fastest in \d+\.\d\d ms", report.text)
        assert [phase.name for phase in report.phases] == ["echo"]


def test_one_after_the_other(host: Host) -> None:
    with host.inside():
        (report,) = check("ping.monitor", "-c2")
    assert report.text.startswith("2 of 2 echoes answered")
    assert re.fullmatch(r"echoes in ms: \d+\.\d\d \d+\.\d\d", report.detail)
    assert report.phases[0].seconds >= 1


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_silence(silent: Host, address: str) -> None:
    with silent.inside():
        (ping,) = check("ping.monitor", "-t 0.3", address)
        (fping,) = check("fping.monitor", "-r 2 -t 100", address)
        (hurried,) = check("fping.monitor", "--timeout 0.3", address)
    assert (ping.is_ok, ping.text) == (False, "no reply to 1 echo within 0.3 s")
    assert (fping.is_ok, fping.text) == (False, "unreachable: no reply to 3 echoes")
    assert (hurried.is_ok, hurried.text) == (False, "no answer within 0.3 s")


def test_no_route(host: Host) -> None:
    with host.inside():
        (report,) = check("ping.monitor", "-t 1", "10.0.0.1")
    assert (report.is_ok, report.text) == (False, "no route to its network")


def test_only_the_family_asked_for(host: Host) -> None:
    with host.inside():
        four, six = check("ping.monitor", "-6 -t 5", "127.0.0.1", "::1")
    assert (four.is_ok, four.text, six.is_ok) == (False, "it has no IPv6 address", True)


def test_the_route_to_those_who_are_silent(silent: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "-T -r 0 -t 100"
    monkeypatch.setenv("PATH", str(tmp_path))
    with silent.inside():
        (without,) = check("fping.monitor", words)
        program = tmp_path / "traceroute"
        program.write_text("#!/bin/sh\necho 1 10.0.0.1 $*\n")
        program.chmod(0o755)
        (with_it,) = check("fping.monitor", words, "[::1]")
    assert (without.is_ok, without.detail) == (False, "there is no traceroute program")
    assert (with_it.is_ok, with_it.detail) == (False, "1 10.0.0.1 -w 3 ::1")


def test_fping_tells_who_lives(host: Host) -> None:
    host.set_sysctl("net.ipv6.icmp.echo_ignore_all", 1)
    with host.inside():
        (alive,) = check("fping.monitor", "")
        (dead,) = check("fping.monitor", "-r 0 -t 100", "::1")
        well, tolerated = check("fping.monitor", "-a -r0 -t2000", "127.0.0.1", "::1")
        both = check("fping.monitor", "-a -r0 -t100", "::1", "10.0.0.1")
    assert alive.is_ok
    assert re.fullmatch(r"alive, \d+\.\d\d ms", alive.text)
    assert (dead.is_ok, dead.text) == (False, "unreachable: no reply to 1 echo")
    assert (well.is_ok, tolerated.is_ok) == (True, True)
    assert tolerated.text == "unreachable: no reply to 1 echo; others are alive"
    assert [report.is_ok for report in both] == [False, False]


def test_slow_hosts(host: Host) -> None:
    with host.inside():
        (slow,) = check("fping.monitor", "-s 0.0001")
        (reachable,) = check("fping.monitor", "-a -s 0.0001")
    assert re.fullmatch(r"slow: \d+\.\d\d ms, 0.0001 ms are the most", slow.text)
    assert (slow.is_ok, reachable.is_ok) == (False, True)
