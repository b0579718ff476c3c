# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules of ipvsadm 1.31 of which no recording is kept here: which options go together, defaults, order, `-R`."""

from __future__ import annotations

import io
import shlex

import pytest

from bpvs.ipvsadm.run import run
from bpvs.testing import FixedResolver, MemoryDirector

NAMES = FixedResolver(
    {"10.0.0.7": ["web"], "2001:db8::5": ["six"]}, {("http", "tcp"): 80, ("domain", "udp"): 53, ("http", "udp"): 81}
)
HINT = "Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n"

# Options in the order in which their combination is checked, each with a value that is right.
OPTIONS = {
    "numeric": "-n",
    "connection": "-c",
    "service-address": "-t 10.0.0.1:80",
    "scheduler": "-s rr",
    "persistent": "-p 300",
    "netmask": "-M 255.255.255.0",
    "real-server": "-r 10.0.0.2",
    "forwarding-method": "-m",
    "weight": "-w 3",
    "u-threshold": "-x 5",
    "l-threshold": "-y 5",
    "mcast-interface": "--mcast-interface eth1",
    "timeout": "--timeout",
    "daemon": "--daemon",
    "stats": "--stats",
    "rate": "--rate",
    "thresholds": "--thresholds",
    "persistent-conn": "--persistent-conn",
    "nosort": "--nosort",
    "syncid": "--syncid 5",
    "exact": "-X",
    "ops": "-o",
    "pe": "--pe sip",
    "sched-flags": "-b flag-1",
    "mcast-group": "--mcast-group 224.0.0.1",
    "mcast-port": "--mcast-port 8848",
    "mcast-ttl": "--mcast-ttl 1",
    "sync-maxlen": "--sync-maxlen 1000",
    "tun-info": "--tun-info",
    "tun-type": "--tun-type ipip",
    "tun-port": "--tun-port 6080",
    "tun-nocsum": "--tun-nocsum",
    "tun-csum": "--tun-csum",
    "tun-remcsum": "--tun-remcsum",
}
SERVICE = "scheduler persistent netmask ops pe sched-flags"
SERVER = "forwarding-method weight u-threshold l-threshold tun-type tun-port tun-nocsum tun-csum tun-remcsum"
LISTED = "numeric stats rate thresholds persistent-conn nosort syncid exact tun-info"
# command: (name in messages, needs, may have)
COMMANDS = {
    "-A": ("add-service", "service-address", SERVICE),
    "-E": ("edit-service", "service-address", SERVICE),
    "-D": ("delete-service", "service-address", ""),
    "-C": ("flush", "", ""),
    "-R": ("restore", "", ""),
    "-S": ("save", "", "numeric"),
    "-a": ("add-server", "service-address real-server", SERVER),
    "-e": ("edit-server", "service-address real-server", SERVER),
    "-d": ("delete-server", "service-address real-server", ""),
    "-L": ("list", "", f"{LISTED} connection service-address timeout daemon"),
    "-Z": ("zero", "", "service-address"),
    "--set 1 2 3": ("set", "", ""),
    "--start-daemon master": (
        *("start-daemon", ""),
        "mcast-interface syncid mcast-group mcast-port mcast-ttl sync-maxlen",
    ),
    "--stop-daemon master": ("stop-daemon", "", "syncid"),
}
# Of a server, `-b` is FullNAT, which 1.31 does not have: two methods then.
NOT_ALIKE = {("-a", "sched-flags"), ("-e", "sched-flags")}


def call(director: MemoryDirector, line: str, stdin: str = "") -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    code = run(shlex.split(line), "ipvsadm", io.StringIO(stdin), stdout, stderr, lambda: director, NAMES)
    return code, stdout.getvalue(), stderr.getvalue()


def prepared(lines: str) -> MemoryDirector:
    director = MemoryDirector()
    for line in lines.splitlines():
        assert call(director, line) == (0, "", "")
    return director


def saved(director: MemoryDirector) -> str:
    return call(director, "-S -n")[1]


PAIRS = [(command, option) for command in COMMANDS for option in OPTIONS if (command, option) not in NOT_ALIKE]


@pytest.mark.parametrize(("command", "option"), PAIRS)
def test_each_option_goes_with_its_commands_only(command: str, option: str) -> None:
    name, needs, may = COMMANDS[command]
    given = [OPTIONS[need] for need in needs.split() if need != option]
    code, _, err = call(MemoryDirector(), " ".join([command, *given, OPTIONS[option]]))
    refusal = f"Illegal '{option}' option with the '{name}' command\n"
    if option in needs.split() or option in may.split():
        assert err != refusal
    else:
        assert (code, err) == (2, refusal)


@pytest.mark.parametrize("command", [command for command, (_, needs, _) in COMMANDS.items() if needs])
def test_what_a_command_needs(command: str) -> None:
    name, needs, _ = COMMANDS[command]
    for missing in needs.split():
        given = [OPTIONS[need] for need in needs.split() if need != missing]
        message = f"You need to supply the '{missing}' option for the '{name}' command\n"
        assert call(MemoryDirector(), " ".join([command, *given])) == (2, "", message)


@pytest.mark.parametrize(
    ("line", "code", "err"),
    [
        # whatever is wrong with the first word, the answer is the hint
        ("--start-daemon", 255, HINT),
        ("--nosuch", 255, HINT),
        ("-t 10.0.0.1:80 -A", 255, HINT),
        # the values left to right, then left-over words, then flags, then the combination, then the meaning
        ("-A -w x -t nonsense", 2, "illegal weight specified\n"),
        ("-A -t nonsense -w x", 2, "illegal virtual server address[:port] specified\n"),
        ("-A -t 10.0.0.1:80 -w 1 -w 2", 2, "multiple 'weight' options specified\n"),
        ("-A word -b nonsense -w 1", 2, "unexpected argument word\n"),
        ("-A -b nonsense -w 1", 2, "invalid scheduler flag `nonsense'\n"),
        ("-A -w 1 -t 10.0.0.1", 2, "Illegal 'weight' option with the 'add-service' command\n"),
        ("-A -t 10.0.0.1 -o", 2, "Zero port specified for non-persistent service\n"),
        ("-A -t 10.0.0.1:80 -o -s nonsense", 2, "One-Packet Scheduling is only for UDP virtual services\n"),
        (
            "-a -t 10.0.0.1:80 -r [2001:db8::1]:80 --tun-csum",
            *(2, "Different address family is allowed only for tunneling servers\n"),
        ),
        ("-a -t 10.0.0.1:80 -r 10.0.0.2 --tun-csum -x 1 -y 2", 2, "Tunnel options conflict with forward method\n"),
        # the table: the service first, then thresholds, the server, the address
        ("-a -t 10.9.9.9:80 -r 10.0.0.2 -x 1 -y 2", 255, "Service not defined\n"),
        ("-a -t 10.0.0.1:80 -r 10.0.0.2 -m -x 1 -y 2", 255, "Numerical result out of range\n"),
        ("-e -t 10.0.0.1:80 -r 10.0.0.9 -m -x 1 -y 2", 255, "Numerical result out of range\n"),
        ("-a -t 10.0.0.1:80 -r 10.0.0.2 -i", 255, "Destination already exists\n"),
        ("-A -t 10.0.0.1:80 -s nonsense", 255, "Service already exists\n"),
        ("-E -t 10.9.9.9:80 -s nonsense", 255, "No such service\n"),
        ("-Z -t 10.9.9.9:80", 255, "No such service\n"),
        ("-L -t 10.9.9.9:80", 1, "No such service\n"),
        # -6 belongs behind -f, and is in no combination
        ("-A -6 -f 7", 2, "-6 used before -f\n\n"),
        ("-C -6", 2, "-6 used before -f\n\n"),
        # -p takes the next word unless that is an option
        ("-A -t 10.0.0.2:80 -p rr", 2, "invalid timeout value `rr' specified\n"),
        ("-A -t 10.0.0.2:80 -p -1", 255, "-1: unknown option\n"),
        # names of ports need the service's protocol, which must be known before
        ("-a -r 10.0.0.3:http -t 10.0.0.1:80", 2, "illegal real server address[:port] specified\n"),
        ("-a -f 7 -r 10.0.0.3:http", 2, "illegal real server address[:port] specified\n"),
        ("-A -t six:80", 2, "illegal virtual server address[:port] specified\n"),
    ],
)
def test_which_error_wins(line: str, code: int, err: str) -> None:
    director = prepared("-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.0.0.2 -m\n-A -f 7 -s rr")
    before = saved(director)
    assert call(director, line) == (code, "", err)
    assert saved(director) == before


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("-A -t web:http", "-A -t 10.0.0.7:80 -s wlc\n"),
        ("-A -u web:http", "-A -u 10.0.0.7:81 -s wlc\n"),
        ("-A -t 10.0.0.1:80 -p", "-A -t 10.0.0.1:80 -s wlc -p 360\n"),
        ("-A -t 10.0.0.1 -p", "-A -t 10.0.0.1:0 -s wlc -p 360\n"),
        ("-A -t 10.0.0.1:80 -p +07 -M 24", "-A -t 10.0.0.1:80 -s wlc -p 7 -M 0.0.0.24\n"),
        ("-A -t 10.0.0.1:80 -p 7 -M web", "-A -t 10.0.0.1:80 -s wlc -p 7 -M 10.0.0.7\n"),
        ("-A -t [2001:db8::1]:80 -p 7 -M 64x", "-A -t [2001:db8::1]:80 -s wlc -p 7 -M 64\n"),
        ("-A -M 255.0.0.0 -t [2001:db8::1]:80 -p 7", "-A -t [2001:db8::1]:80 -s wlc -p 7\n"),
        ("-A -f 7 -6 -M 64 -p 7", "-A -f 7 -6 -s wlc -p 7 -M 64\n"),
        ("-A -f ' 007' -s ''", "-A -f 7 -s wlc\n"),
        ("-A -t 10.0.0.1:80 -s none -M 255.0.0.0", "-A -t 10.0.0.1:80 -s none\n"),
        ("-A -t 10.0.0.1:80 -srr -p300", "-A -t 10.0.0.1:80 -s rr -p 300\n"),
    ],
)
def test_values_and_defaults_of_a_service(line: str, after: str) -> None:
    assert saved(prepared(line)) == after


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("-a -t 10.0.0.1:80 -r 10.0.0.2", "-r 10.0.0.2:80 -g -w 1"),
        ("-a -t 10.0.0.1:80 -r 10.0.0.2:8080", "-r 10.0.0.2:80 -g -w 1"),
        ("-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -i", "-r 10.0.0.2:80 -i -w 1 --tun-type ipip"),
        ("-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -mw 3", "-r 10.0.0.2:8080 -m -w 3"),
        ("-a -t 10.0.0.1:80 -r 10.0.0.2:0 -m", "-r 10.0.0.2:0 -m -w 1"),
        ("-a -r 10.0.0.2 -t 10.0.0.1:80 -m", "-r 10.0.0.2:0 -m -w 1"),
        ("-a -r 10.0.0.2 -t 10.0.0.1:80", "-r 10.0.0.2:80 -g -w 1"),
        ("-a -t 10.0.0.1:80 -r web:http -m", "-r 10.0.0.7:80 -m -w 1"),
        ("-a -t 10.0.0.1:80 -r 10.0.0.2 -i --tun-type gre", "-r 10.0.0.2:80 -i -w 1 --tun-type gre --tun-nocsum"),
    ],
)
def test_values_and_defaults_of_a_server(line: str, after: str) -> None:
    director = prepared(f"-A -t 10.0.0.1:80 -s rr\n{line}")
    assert saved(director).splitlines()[1:] == [f"-a -t 10.0.0.1:80 {after}"]


def test_a_server_of_a_mark_keeps_the_port_that_is_given() -> None:
    director = prepared("-A -f 7 -s rr\n-a -f 7 -r 10.0.0.2:8080\n-a -f 7 -r 10.0.0.2")
    assert saved(director).splitlines()[1:] == ["-a -f 7 -r 10.0.0.2:0 -g -w 1", "-a -f 7 -r 10.0.0.2:8080 -g -w 1"]


def test_an_edit_of_a_server_replaces_everything_and_needs_its_method_for_another_port() -> None:
    director = prepared("-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -m -w 3 -x 9 -y 5")
    assert call(director, "-e -t 10.0.0.1:80 -r 10.0.0.2:8080 -w 7") == (255, "", "No such destination\n")
    assert call(director, "-e -t 10.0.0.1:80 -r 10.0.0.2:8080 -m")[0] == 0
    assert saved(director).endswith("-r 10.0.0.2:8080 -m -w 1\n")
    assert call(director, "-L -n --thresholds")[1].splitlines()[-1].split()[2:] == ["0", "0", "0", "0"]
    assert call(director, "-d -t 10.0.0.1:80 -r 10.0.0.2") == (255, "", "No such destination\n")
    assert call(director, "-d -t 10.0.0.1:80 -r 10.0.0.2:8080") == (0, "", "")


@pytest.mark.parametrize(
    ("stdin", "code", "err", "after"),
    [
        ("", 0, "", []),
        ("\n \t\r\n", 0, "", []),
        ("ipvsadm -A -t 10.0.0.1:80 -s rr\n", 0, "", ["10.0.0.1"]),
        ("-A ipvsadm -t\t10.0.0.1:80\r\nipvsadm\n-A -t 10.0.0.2:80", 0, "", ["10.0.0.1", "10.0.0.2"]),
        # a refusal goes by, and only the last line decides
        ("-D -t 10.0.0.1:80\n-A -t 10.0.0.1:80\n", 0, "No such service\n", ["10.0.0.1"]),
        ("-A -t 10.0.0.1:80\n-D -t 10.0.0.2:80\n", 255, "No such service\n", ["10.0.0.1"]),
        ("-A -t 10.0.0.1:80 --bogus\n-A -t 10.0.0.1:80\n", 0, "--bogus: unknown option\n", ["10.0.0.1"]),
        ("-A -t 10.0.0.1:80 -s\n", 255, "-s: missing argument\n", []),
        # a mistake ends the run, and what came before it counts
        ("-A -t 10.0.0.1:80\n-A -t 80\n-C\n", 2, "illegal virtual server address[:port] specified\n", ["10.0.0.1"]),
        ("-A -t 10.0.0.1:80\nword\n-C\n", 255, HINT, ["10.0.0.1"]),
        ("-A -t 10.0.0.1:80\n# comment\n-C\n", 255, HINT, ["10.0.0.1"]),
        ("-A -t 10.0.0.1:80\n-R\n-C\n", 255, HINT, ["10.0.0.1"]),
        ('-A -t "10.0.0.1:80"\n-C\n', 2, "illegal virtual server address[:port] specified\n", []),
    ],
)
def test_restore(stdin: str, code: int, err: str, after: list[str]) -> None:
    director = MemoryDirector()
    assert call(director, "-R", stdin) == (code, "", err)
    assert [line.split()[2].partition(":")[0] for line in saved(director).splitlines()] == after


def test_zeroing_nothing_in_particular_zeroes_everything() -> None:
    director = prepared("-A -t 10.0.0.1:80 -s rr")
    for line in ("-Z", "-Z -t 0.0.0.0:0", "-Z -t 10.0.0.1:80", "-C", "-C", "-Z"):
        assert call(director, line) == (0, "", "")
