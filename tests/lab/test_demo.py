# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs demo` as a user runs it: what it shows, what it leaves behind, what it says when it cannot."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from bpvs.cli import demo
from bpvs.cli.stage import play, workplace
from bpvs.cli.style import style_for
from bpvs.cli.tours import TYPES, tour, watching
from bpvs.cli.tours.step import Seen
from bpvs.cli.tours.tutorial import STEPS
from bpvs.lab.host import Host
from bpvs.lab.network import Network
from bpvs.lab.shell import own_tool, run
from bpvs.lab.wait import until
from bpvs.net import namespace

pytestmark = pytest.mark.root

LONGEST = 30.0  # seconds; alone on the machine it takes 8
COMMAND = [*own_tool("bpvs"), "demo"]


def left_behind(fragment: str) -> list[str]:
    """Namespaces and folders with a name like that."""
    places = (Path(namespace.NAMED), Path(tempfile.gettempdir()))
    return [str(path) for place in places for path in place.glob(f"bpvs-{fragment}-*")]


def running_on(host: Host) -> list[str]:
    """The processes of a machine."""
    return run(["ip", "netns", "pids", host.name]).checked().out.split()


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def test_it_shows_every_command_with_its_output_and_removes_everything() -> None:
    begun = time.monotonic()
    process = start()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert time.monotonic() - begun < LONGEST
    position = 0
    for step in (*STEPS, *watching.STEPS):
        position = out.index(f"$ {step.command}\n", position) + 1
    answers = re.findall(r"^192\.168\.122\.5\d$", out, re.MULTILINE)
    assert answers[:6] == ["192.168.122.51", "192.168.122.50"] * 3
    assert answers[6:8] == ["192.168.122.51"] * 2
    assert sorted(answers[8:]) == ["192.168.122.50", "192.168.122.51"]
    assert "curl: (7)" in out
    assert "\x1b" not in out
    assert left_behind(f"{process.pid:x}") == []


def test_left_standing_it_can_be_played_with_and_removed_by_the_command_that_it_prints() -> None:
    process = start("--keep")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    try:
        assert left_behind(f"{process.pid:x}") != []
        commands = [line.strip() for line in out.splitlines() if line.startswith("  ip netns exec")]
        assert len(commands) >= 4
        for command in commands:
            assert run(shlex.split(command)).code == 0, command
        listed = run(shlex.split(next(one for one in commands if "--stats" in one))).checked().out
        assert "TCP  192.168.122.53:80" in listed
    finally:
        (removal,) = [line.strip() for line in out.splitlines() if "demo --remove" in line]
        run(shlex.split(removal)).checked()
    assert left_behind(f"{process.pid:x}") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_removes_everything(number: signal.Signals) -> None:
    with start() as process:
        assert process.stdout is not None
        assert any("ipvsadm -A" in line for line in process.stdout)
        process.send_signal(number)
        _out, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "bpvs demo: interrupted" in err
        until(lambda: left_behind(f"{process.pid:x}") == [], "nothing left behind")


def test_interrupted_in_its_second_half_it_leaves_no_daemon() -> None:
    with start() as process:
        assert process.stdout is not None
        assert any("ip link set eth0 down" in line for line in process.stdout)
        (place,) = (path for path in left_behind(f"{process.pid:x}") if Path(path, "mon.pid").exists())
        daemon = Path("/proc") / Path(place, "mon.pid").read_text().strip()
        assert daemon.exists()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        until(lambda: not daemon.exists(), "the daemon's end")
        until(lambda: left_behind(f"{process.pid:x}") == [], "nothing left behind")


def test_two_at_once_do_not_meet() -> None:
    with start() as one, start() as other:
        errors = [process.communicate(timeout=60)[1] for process in (one, other)]
    assert ([one.returncode, other.returncode], errors) == ([0, 0], ["", ""])


def test_its_folder_goes_when_the_daemons_of_its_steps_have_ended() -> None:
    with Network() as network:
        host = network.host("director")
        with workplace(network, keep=False) as place:
            (place / "mon.cf").write_text(watching.CONFIG, encoding="ascii")
            play(1, watching.STEPS[1], "$", host, place, Seen(), style_for(sys.stdout))
            assert running_on(host) != []
        assert running_on(host) == []
        assert not place.exists()


def test_a_missing_program_is_named_with_its_package() -> None:
    done = subprocess.run(
        COMMAND, env={**os.environ, "PATH": "/nonexistent"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "bpvs demo: the program 'ip' is missing: apt-get install iproute2\n"


def test_without_root_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert demo.main([]) == 1
    finally:
        signal.signal(signal.SIGTERM, before)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "bpvs demo: network namespaces and BPF need root: run it with sudo\n")


def test_removing_an_unknown_demo_is_told() -> None:
    done = run([*COMMAND, "--remove", "bpvs-nosuch"])
    assert (done.code, done.out) == (1, "")
    assert done.err == "bpvs demo: there is no network bpvs-nosuch; `ip netns list` shows those that there are\n"


@pytest.mark.parametrize("kind", TYPES)
def test_a_way_of_forwarding_is_shown_with_its_packets(kind: str) -> None:
    process = start("--type", kind)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert len(out.splitlines()) < 42
    position = 0
    for step in tour(kind).steps:
        position = out.index(f"{step.host}$ {step.command}\n", position) + 1
    rows = [" ".join(line.split()[:2]) for line in out.splitlines() if re.match(r" \w+ +(in|out) ", line)]
    assert tuple(rows) == tour(kind).path
    assert "?" not in out
    assert left_behind(f"{process.pid:x}") == []


def test_fullnat_shows_what_the_server_learns_of_the_client() -> None:
    out, _err = start("--type", "fullnat").communicate(timeout=60)
    (client,) = set(re.findall(r" director +in .*10\.9\.0\.2:(\d+) \S+ 10\.0\.1\.100:80 +ACK +63\n", out))
    told = rf"10\.0\.1\.201:\d+ \S+ 10\.0\.2\.11:80 +ACK +\d+\n +\S TOA 10\.9\.0\.2:{client}\n"
    assert re.search(r" director +out .*" + told, out)
    assert re.search(r" server1 +in .*" + told, out)


def test_tunnels_show_the_outer_and_the_inner_header() -> None:
    out, _err = start("--type", "tun").communicate(timeout=60)
    outer = r" director +out .*10\.0\.1\.2 \S+ 10\.0\.2\.11 +IPIP +62\n"
    assert re.search(outer + r" +\S 10\.9\.0\.2:\d+ .* SYN +62\n", out)
