# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import shlex

import pytest

from bpvs.model import FLAG_2, Address, Method, Protocol, RealServer, ServiceKey, Timeouts, VirtualService
from bpvs.text.command import Command, Daemon, first_command, parse_command, restore_words
from bpvs.text.errors import UsageError
from bpvs.text.names import Resolver

KEY = ServiceKey.at(Protocol.TCP, Address.parse("10.0.0.1"), 80)


def parse(line: str) -> Command:
    return parse_command(shlex.split(line), "ipvsadm", Resolver())


def test_no_words_list_everything() -> None:
    assert parse("") == Command("list")


def test_a_service() -> None:
    command = parse("-A -t 10.0.0.1:80 -s rr -p 60")
    assert (command.name, command.key) == ("add-service", KEY)
    assert command.service == VirtualService(KEY, "rr", persistence=60)


def test_the_default_scheduler_is_wlc() -> None:
    for line in ("-E -t 10.0.0.1:80", "-A -t 10.0.0.1:80 -s ''"):
        service = parse(line).service
        assert service is not None
        assert service.scheduler == "wlc"


@pytest.mark.parametrize(("options", "port"), [("-m", 8080), ("-b", 8080), ("-g", 80), ("-i", 80), ("", 80)])
def test_only_nat_and_fullnat_change_the_port(options: str, port: int) -> None:
    server = parse(f"-a -t 10.0.0.1:80 -r 10.0.0.2:8080 {options}").server
    assert server is not None
    assert server.port == port


def test_marks_and_deletions_keep_the_port_given() -> None:
    for line in ("-a -f 7 -r 10.0.0.2:8080", "-d -t 10.0.0.1:80 -r 10.0.0.2:8080"):
        server = parse(line).server
        assert server is not None
        assert server.port == 8080


def test_a_server_with_everything() -> None:
    assert parse("-e -t 10.0.0.1:80 -r 10.0.0.2:81 -m -w 3 -x 9 -y 5").server == RealServer(
        Address.parse("10.0.0.2"), 81, Method.NAT, 3, 9, 5
    )


@pytest.mark.parametrize(
    "line",
    [
        "-a -t 10.0.0.1:80 -r 10.0.0.2:81 -b",
        "-a -b -t 10.0.0.1:80 -r 10.0.0.2:81",
        "-abt 10.0.0.1:80 -r 10.0.0.2:81",
        "-et10.0.0.1:80 -r 10.0.0.2:81 -bw1",
        "--add-server -t 10.0.0.1:80 -r 10.0.0.2:81 --fullnat",
        "--edit-server -b -t 10.0.0.1:80 -r 10.0.0.2:81",
    ],
)
def test_fullnat(line: str) -> None:
    assert parse(line).server == RealServer(Address.parse("10.0.0.2"), 81, Method.FULLNAT)


def test_of_a_service_b_is_its_flags() -> None:
    for line in ("-A -b sh-port -t 10.0.0.1:80 -s sh", "-Eb sh-port -t 10.0.0.1:80 -s sh"):
        service = parse(line).service
        assert service is not None
        assert service.flags == FLAG_2


def test_fullnat_may_lead_from_ipv6_to_ipv4() -> None:
    for service in ("-t [2001:db8::1]:80", "-f 7 -6"):
        server = parse(f"-a {service} -r 10.0.0.2:81 -b").server
        assert server == RealServer(Address.parse("10.0.0.2"), 81, Method.FULLNAT)


@pytest.mark.parametrize("name", ["add-laddr", "del-laddr"])
@pytest.mark.parametrize("text", ["10.0.1.1", "2001:db8::5"])
def test_local_addresses(name: str, text: str) -> None:
    address = Address.parse(text)
    letter = {"add-laddr": "P", "del-laddr": "Q"}[name]
    for words in (f"-{letter} -t 10.0.0.1:80 -z {text}", f"--{name} --local-address={text} --tcp-service 10.0.0.1:80"):
        command = parse(words)
        assert (command.name, command.key, command.local) == (name, KEY, address)
    assert parse(f"-{letter} -f 7 --laddr {text}").local == address


def test_local_addresses_of_one_service_or_all() -> None:
    assert parse("-G") == Command("get-laddr")
    assert parse("--get-laddr -n -t 10.0.0.1:80").key == parse("-Gnt10.0.0.1:80").key == KEY


def test_synproxy_is_off_unless_asked_for() -> None:
    for options, is_on in (("", False), ("-j enable", True), ("--synproxy=disable", False)):
        for command in ("-A", "-E"):
            for key in ("-t 10.0.0.1:80", "-f 7"):
                service = parse(f"{command} {key} {options}").service
                assert service is not None
                assert service.synproxy == is_on


def test_timeouts_and_daemons() -> None:
    assert parse("--set 1 0 2678400").timeouts == Timeouts(1, 0, 2678400)
    assert parse("--start-daemon backup --mcast-interface eth1 --syncid 7").daemon == Daemon("backup", "eth1", 7)
    assert parse("--stop-daemon master").daemon == Daemon("master")


@pytest.mark.parametrize(
    ("line", "message", "code"),
    [
        ("-t 10.0.0.1:80 -A", "Try `ipvsadm -h' or 'ipvsadm --help' for more information.", 255),
        ("--start-daemon", "Try `ipvsadm -h' or 'ipvsadm --help' for more information.", 255),
        ("--start-daemon x", "illegal start-daemon parameter specified", 2),
        ("--stop-daemon x", "illegal start_daemon specified", 2),
        ("-A -h", "invalid option `-h'", 2),
        ("extra -L", "unexpected argument extra", 2),
        ("--set 1 2", "--set option requires 3 timeout values", 2),
        ("--set 1 2 2678401 x", "invalid timeout value `2678401' specified", 2),
        ("-A -t 10.0.0.1:80 -b bogus extra", "unexpected argument extra", 2),
        ("-A -t 10.0.0.1:80 -b bogus -n", "invalid scheduler flag `bogus'", 2),
        ("-A -t 10.0.0.1 -n", "Illegal 'numeric' option with the 'add-service' command", 2),
        ("-A -t 10.0.0.1 -o", "Zero port specified for non-persistent service", 2),
        ("-A -t 10.0.0.1:80 -o", "One-Packet Scheduling is only for UDP virtual services", 2),
        ("-a -t 10.0.0.1:80 -r ::2 --tun-csum", "Different address family is allowed only for tunneling servers", 2),
        ("-a -t [::1]:80 -r 10.0.0.2 -m", "Different address family is allowed only for tunneling servers", 2),
        (
            "-a -t 10.0.0.1:80 -r ::2 -b",
            "FullNAT translates from IPv6 services to IPv4 servers, not from IPv4 to IPv6",
            2,
        ),
        ("-b -a -t 10.0.0.1:80 -r 10.0.0.2", "Try `ipvsadm -h' or 'ipvsadm --help' for more information.", 255),
        ("-a -t 10.0.0.1:80 -r 10.0.0.2 -b sh-port", "unexpected argument sh-port", 2),
        ("-a -t 10.0.0.1:80 -r 10.0.0.2 -m -b", "multiple 'forwarding-method' options specified", 2),
        ("-A -t 10.0.0.1:80 --fullnat", "Illegal 'forwarding-method' option with the 'add-service' command", 2),
        ("-e -t 10.0.0.1:80 -r 10.0.0.2 -b --tun-type gre", "Tunnel options conflict with forward method", 2),
        ("-A -u 10.0.0.1:80 -j enable", "SYNPROXY is only for TCP virtual services", 2),
        ("-A -t 10.0.0.1:80 -j on", "invalid synproxy value `on' specified; right would be enable or disable", 2),
        ("-a -t 10.0.0.1:80 -r 10.0.0.2 -j enable", "Illegal 'synproxy' option with the 'add-server' command", 2),
        ("-P -t 10.0.0.1:80", "You need to supply the 'local-address' option for the 'add-laddr' command", 2),
        ("-Q -z 10.0.1.1", "You need to supply the 'service-address' option for the 'del-laddr' command", 2),
        ("-P -t 10.0.0.1:80 -z 10.0.1.1:0", "illegal local address specified", 2),
        ("-P -t 10.0.0.1:80 -z name", "illegal local address specified", 2),
        ("-P -t 10.0.0.1:80 -z 10.0.1.1 --laddr x", "multiple 'local-address' options specified", 2),
        ("-P -t 10.0.0.1:80 -z 10.0.1.1 -n", "Illegal 'numeric' option with the 'add-laddr' command", 2),
        ("-G -z 10.0.1.1", "Illegal 'local-address' option with the 'get-laddr' command", 2),
        ("-a -t 10.0.0.1:80 -r 10.0.0.2 --tun-csum", "Tunnel options conflict with forward method", 2),
        ("-A -t 10.0.0.1:80 -w x -q", "illegal weight specified", 2),
        ("-A -t 10.0.0.1:80 -q -w x", "-q: unknown option", 255),
    ],
)
def test_which_mistake_wins(line: str, message: str, code: int) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line)
    assert (str(caught.value), caught.value.code) == (message, code)


def test_the_first_command_tells_without_the_rest() -> None:
    assert first_command(["-hL", "--bogus"]) == "help"
    assert first_command(["-v"]) == "version"
    assert first_command(["-L", "-h"]) == "list"
    assert first_command(["-n", "-h"]) is first_command([]) is first_command(["--bogus"]) is None


def test_lines_of_restore() -> None:
    assert restore_words("ipvsadm -A\t-t  10.0.0.1:80 ipvsadm -s rr\r\n") == ["-A", "-t", "10.0.0.1:80", "-s", "rr"]
    assert restore_words(" \t\r\n") == []
    assert restore_words("-A '-t x'") == ["-A", "'-t", "x'"]
