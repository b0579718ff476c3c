# SPDX-License-Identifier: GPL-2.0-or-later
"""lvs.alert with every way of forwarding: a server of a group dies and returns, and clients hardly notice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bpvs.lab.host import Host
from bpvs.lab.shell import own_tool
from bpvs.lab.wait import until
from tests.lab.balancing import Balanced, balanced
from tests.lab.load import Load
from tests.lab.watched import SECONDS, Watched, outage

pytestmark = pytest.mark.root

CONFIG = """\
statedir = {folder}
logdir = {folder}
pidfile =

hostgroup web {hosts}

watch web
service http
interval 1s
monitor http.monitor -t 1
period wd {{Sun-Sat}}
alert lvs.alert {options}
upalert lvs.alert {options}
"""


def watch(site: Balanced, folder: Path, options: str = "") -> Watched:
    """mon on the director, with one group of all servers, each of which has been checked."""
    (folder / "mon.cf").write_text(CONFIG.format(folder=folder, hosts=" ".join(site.servers), options=options))
    watched = Watched(site.net.director, folder, "-c", str(folder / "mon.cf"), "-r", "1s")
    watched.start()
    watched.wait_for_checks()
    return watched


def end_web_server(host: Host) -> None:
    (process,) = (one for one in host.processes if one.poll() is None)
    process.kill()
    process.wait()


@pytest.fixture
def nat() -> Iterator[Balanced]:
    with balanced("nat", "ipv4") as site:
        site.add()
        yield site


@pytest.mark.parametrize("kind", ["nat", "dr"])
def test_a_server_whose_program_ends_is_out_until_it_serves_again(kind: str, tmp_path: Path) -> None:
    with balanced(kind, "ipv4") as site:
        site.add()
        watched, host = watch(site, tmp_path), site.net.servers[0]
        site.net.client.set_sysctl("net.ipv4.ip_local_port_range", "40000 40255")  # each comes round within a second
        site.net.director.bpvs("sysctl", "-w", "vs.conn_reuse_mode=3").checked()  # or DR's ports keep their servers
        clients = Load(site.net.client, site.vip)
        server = site.servers[0]
        seen = outage(watched, clients, server, kill=lambda: end_web_server(host), revive=lambda: host.serve("one", 80))
        print(kind, seen)
        assert seen.failed_afterwards == 0
        assert watched.stop() == 0


def test_a_server_that_falls_silent_behind_a_tunnel(tmp_path: Path) -> None:
    with balanced("tun", "ipv4") as site:
        site.add()
        watched, host = watch(site, tmp_path), site.net.servers[0]
        ip = site.net.network.configure
        seen = outage(
            watched,
            Load(site.net.client, site.vip),
            site.servers[0],
            kill=lambda: ip(host, "link set eth0 down"),
            revive=lambda: ip(host, "link set eth0 up", f"route replace default via {site.net.farm.four(1)}"),
        )
        print("tun", seen)
        assert seen.failed_afterwards == 0
        assert watched.stop() == 0


def test_a_daemon_that_was_killed_and_has_lost_its_memory_returns_a_server(nat: Balanced, tmp_path: Path) -> None:
    nat.net.director.ipvsadm("-e", *nat.service(), "-r", f"{nat.servers[0]}:80", "-m", "-w", "7").checked()
    watched, host = watch(nat, tmp_path, "--quiesce"), nat.net.servers[0]
    end_web_server(host)
    until(lambda: watched.weights()[nat.servers[0]] == 0, "weight 0", SECONDS)
    watched.kill()
    (tmp_path / "opstatus").unlink(missing_ok=True)
    host.serve("one", 80)
    watched.start()
    until(lambda: watched.weights()[nat.servers[0]] == 7, "its weight again", SECONDS)


def test_people_are_told_why_a_server_is_out(nat: Balanced, tmp_path: Path) -> None:
    watched, director = watch(nat, tmp_path), nat.net.director
    end_web_server(nat.net.servers[0])
    until(lambda: nat.servers[0] not in watched.weights(), "out of the table", SECONDS)
    table = director.bpvs("health").checked().out.splitlines()
    states = {line.split()[2]: line.split()[3] for line in table[1:4]}
    assert states == dict(zip(nat.servers, ("fail,", "ok", "ok"), strict=True))
    assert table[-1] == "1 service, 1 fails, 1 server out of a virtual service"
    told = director.bpvs("health", "explain", nat.servers[0]).checked().out
    assert f"{nat.servers[0]}:80 is removed from tcp:{nat.vip}:80; it had weight 1." in told
    assert "It returns when web:http is well again." in told
    assert f"The table has no server {nat.servers[0]}." in told
    run = director.run(*own_tool("bpvs"), "health", "run", "-v", "-c", str(tmp_path / "mon.cf"), "web", "http")
    assert run.code == 1
    assert run.out.startswith(f"{nat.servers[0]}  fail  ")
    assert f"\n{nat.servers[1]}  ok    " in run.out
    assert "connect" in run.out
    assert run.out.splitlines()[-1].startswith("builtin:http.monitor: exit code 1 after ")
    assert watched.stop() == 0
    gone = director.bpvs("health")
    assert (gone.code, gone.out) == (3, "")
    assert gone.err.startswith("bpvs health: no monitor daemon with port 2583 runs in this network namespace")
