# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import shlex

import pytest

from bpvs.ipvsadm.session import apply
from bpvs.model import Table, Timeouts
from bpvs.model.sysctls import default_sysctls, fixed_sysctls
from bpvs.text.changes import change_lines
from bpvs.text.command import parse_command
from bpvs.text.names import Resolver

TABLE = """\
-A -t 10.0.0.1:80 -s sh -b sh-port -p 300 -M 255.255.255.0
-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -m -w 3 -x 100 -y 50
-a -t 10.0.0.1:80 -r 10.0.0.3 -i --tun-type gue --tun-port 6080 --tun-csum
-P -t 10.0.0.1:80 -z 10.0.1.9
-A -f 7 -6
"""
PLAIN = "flags none, persistent no, netmask 255.255.255.255, engine none, ops off, synproxy off"


def told(line: str) -> list[str]:
    table = Table()
    for words in map(shlex.split, TABLE.splitlines()):
        apply(parse_command(words, "ipvsadm", Resolver()), table)
    command = parse_command(shlex.split(line), "ipvsadm", Resolver())
    lines = change_lines(command, table, Timeouts(), default_sysctls() | fixed_sysctls())
    apply(command, table)  # none of these is refused
    return lines


@pytest.mark.parametrize(
    ("line", "change"),
    [
        ("-A -t 10.0.0.9:80", f"add service tcp 10.0.0.9:80: scheduler wlc, {PLAIN}"),
        (
            "-A -t [2001:db8::1]:443 -s mh -b mh-port,flag-1 -p -j enable",
            (
                "add service tcp [2001:db8::1]:443: scheduler mh, flags mh-fallback+mh-port, persistent 360, "
                "netmask 128, engine none, ops off, synproxy on"
            ),
        ),
        (
            "-A -u 10.0.0.9:53 -s rr -o --pe sip",
            (
                "add service udp 10.0.0.9:53: scheduler rr, flags none, persistent no, netmask 255.255.255.255, "
                "engine sip, ops on, synproxy off"
            ),
        ),
        (
            "-E -t 10.0.0.1:80 -s rr",
            (
                "edit service tcp 10.0.0.1:80: scheduler sh -> rr, flags sh-port -> none, persistent 300 -> no, "
                "netmask 255.255.255.0 -> 255.255.255.255"
            ),
        ),
        ("-E -t 10.0.0.1:80 -s sh -b sh-port -p 300 -M 255.255.255.0", "edit service tcp 10.0.0.1:80: nothing changes"),
        ("-D -t 10.0.0.1:80", "delete service tcp 10.0.0.1:80: servers 2, local addresses 1"),
        ("-D -f 7 -6", "delete service mark 7 ipv6: servers 0, local addresses 0"),
        (
            "-a -t 10.0.0.1:80 -r 10.0.0.4",
            (
                "add server 10.0.0.4:80 to tcp 10.0.0.1:80: method gatewaying, weight 1, upper threshold 0, "
                "lower threshold 0, tunnel none"
            ),
        ),
        (
            "-a -t 10.0.0.1:80 -r 10.0.0.4 -i --tun-type gre",
            (
                "add server 10.0.0.4:80 to tcp 10.0.0.1:80: method ipip, weight 1, upper threshold 0, "
                "lower threshold 0, tunnel gre no checksum"
            ),
        ),
        (
            "-e -t 10.0.0.1:80 -r 10.0.0.2:8080 -b -w 5",
            (
                "edit server 10.0.0.2:8080 of tcp 10.0.0.1:80: method masquerading -> fullnat, weight 3 -> 5, "
                "upper threshold 100 -> 0, lower threshold 50 -> 0"
            ),
        ),
        (
            "-e -t 10.0.0.1:80 -r 10.0.0.3 -i",
            "edit server 10.0.0.3:80 of tcp 10.0.0.1:80: tunnel gue port 6080 checksum -> ipip",
        ),
        ("-d -t 10.0.0.1:80 -r 10.0.0.3", "delete server 10.0.0.3:80 of tcp 10.0.0.1:80"),
        ("-P -t 10.0.0.1:80 -z 10.0.1.1", "add local address 10.0.1.1 to tcp 10.0.0.1:80"),
        ("-Q -t 10.0.0.1:80 -z 10.0.1.9", "delete local address 10.0.1.9 of tcp 10.0.0.1:80"),
        ("-Z", "zero counters of all services"),
        ("-Z -t 0.0.0.0:0", "zero counters of all services"),
        ("-Z -f 7 -6", "zero counters of mark 7 ipv6"),
        ("--set 0 60 0", "set timeout tcpfin: 120 -> 60"),
        ("--sysctl vs.drop_packet=3", "set vs.drop_packet: 0 -> 3"),
    ],
)
def test_a_change_is_one_line(line: str, change: str) -> None:
    assert told(line) == [change]


def test_what_changes_more_or_nothing() -> None:
    assert told("-C") == [
        "delete service tcp 10.0.0.1:80: servers 2, local addresses 1",
        "delete service mark 7 ipv6: servers 0, local addresses 0",
    ]
    assert told("--set 1 2 3") == [
        "set timeout tcp: 900 -> 1",
        "set timeout tcpfin: 120 -> 2",
        "set timeout udp: 300 -> 3",
    ]
    assert told("--set 0 120 0") == []
    assert told("--sysctl vs.conntrack=0") == []
