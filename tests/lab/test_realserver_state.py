# SPDX-License-Identifier: GPL-2.0-or-later
"""What the agent sets up and takes away: exactly that, again and again, and after being killed."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bpvs.kernel import bpffs
from bpvs.lab.network import Network
from bpvs.lab.shell import own_tool
from bpvs.lab.wait import until
from bpvs.net import namespace
from tests.lab.realserver_net import PEER6, VIP, VIP6, Lan, lan
from tests.lab.test_instances import exists, programs
from tests.lab.test_realserver_toa import cgroup_mount

pytestmark = pytest.mark.root

# Runs the command, and kills itself at the n-th call of one of the functions that change something.
_KILLED = """
import os, signal, sys
from bpvs.cli import main
from bpvs.kernel import bpf
from bpvs.kernel.libbpf import Libbpf
from bpvs.net import assigned, sysctl
from bpvs.realserver import addresses

left = [int(sys.argv[1])]

def fatal(before):
    def call(*arguments):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return before(*arguments)
    return call

bpf.call = fatal(bpf.call)
sysctl.write = fatal(sysctl.write)
addresses.add_quietly = fatal(addresses.add_quietly)
addresses.remove_from_loopback = fatal(addresses.remove_from_loopback)
for name in ("attach_tc", "detach_tc", "remove_clsact"):
    setattr(Libbpf, name, fatal(getattr(Libbpf, name)))
for name in ("rename", "unlink"):
    setattr(os, name, fatal(getattr(os, name)))
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def net() -> Iterator[Lan]:
    with lan() as made:
        yield made


def state(net: Lan) -> dict[str, object]:
    """Everything that the agent may touch."""
    host = net.server
    names = ("all", "default", "lo", "eth0")
    with host.inside():
        cookie = namespace.cookie()
    return {
        "addresses": host.run("ip", "-o", "address", "show").checked().out,
        "qdiscs": host.run("tc", "qdisc", "show").checked().out,
        "filters": host.run("tc", "filter", "show", "dev", "eth0", "ingress").out,
        "settings": [
            host.get_sysctl(f"net.ipv4.conf.{name}.{one}")
            for name in names
            for one in ("arp_announce", "arp_ignore", "rp_filter", "accept_local")
        ],
        "pins": sorted(name for name in os.listdir(bpffs.root()) if name.startswith(f"{cookie:x}_realserver")),
    }


UP = ("up", "--vip", VIP, "--vip", VIP6)


def test_down_undoes_what_up_did(net: Lan) -> None:
    before = state(net)
    net.agent(*UP).checked()
    during = state(net)
    assert all(during[part] != before[part] for part in before)
    assert net.agent("down").checked().out == "undone\n"
    assert state(net) == before
    assert net.agent("down").checked().out == "nothing was set up\n"
    assert net.agent("status").code == 3


def test_down_leaves_what_an_operator_had_before(net: Lan) -> None:
    net.network.configure(net.server, f"address add {VIP}/32 dev lo", f"address add {VIP6}/128 dev lo")
    net.server.run("tc", "qdisc", "add", "dev", "eth0", "clsact").checked()
    net.server.set_sysctl("net.ipv4.conf.eth0.arp_announce", 1)
    before = state(net)
    net.agent(*UP).checked()
    assert state(net)["settings"] != before["settings"]
    net.agent("down").checked()
    assert state(net) == before


def test_down_leaves_a_setting_that_somebody_has_changed_since(net: Lan) -> None:
    net.agent(*UP).checked()
    net.server.set_sysctl("net.ipv4.conf.eth0.arp_announce", 1)
    net.agent("down").checked()
    assert net.server.get_sysctl("net.ipv4.conf.eth0.arp_announce") == "1"


def test_down_restores_what_the_last_up_found(net: Lan) -> None:
    net.agent(*UP).checked()
    net.server.set_sysctl("net.ipv4.conf.eth0.arp_announce", 1)
    net.agent(*UP).checked()
    assert net.server.get_sysctl("net.ipv4.conf.eth0.arp_announce") == "2"
    net.agent(*UP).checked()
    net.agent("down").checked()
    assert net.server.get_sysctl("net.ipv4.conf.eth0.arp_announce") == "1"


def test_a_setting_for_all_interfaces_suffices(net: Lan) -> None:
    net.server.set_sysctl("net.ipv4.conf.all.arp_announce", 2)
    net.agent(*UP).checked()
    assert net.server.get_sysctl("net.ipv4.conf.eth0.arp_announce") == "0"
    assert net.status()["warnings"] == []


def test_up_again_brings_exactly_what_it_asks_for(net: Lan) -> None:
    switch = net.network.switch("second")
    net.network.plug(net.server, "eth1.5", switch, "10.2.0.2/24")
    net.agent(*UP, "--gue-port", "7000", "--tunnel-from", "10.0.0.0/8", "--tunnel-from", PEER6).checked()
    first = net.status()
    assert set(first["vips"]) == {VIP, VIP6}
    assert (first["devices"], first["gue_port"]) == (["eth0", "eth1.5"], 7000)
    assert set(first["tunnel_from"]) == {"10.0.0.0/8", PEER6}
    assert first["warnings"] == []
    net.server.set_sysctl("net.ipv4.conf.eth1/5.rp_filter", 1)
    (warning,) = net.status()["warnings"]
    ((setting, value),) = re.findall("`sysctl -w (.*)=(.*)`", warning)
    net.server.set_sysctl(setting, value)
    assert net.status()["warnings"] == []
    twice = state(net)
    net.agent(*UP, "--gue-port", "7000", "--tunnel-from", "10.0.0.0/8", "--tunnel-from", PEER6).checked()
    again = state(net)
    assert {part: again[part] for part in again if part != "filters"} == {
        part: twice[part] for part in twice if part != "filters"
    }
    net.agent("up", "--vip", "192.0.2.81", "--dev", "eth0").checked()
    second = net.status()
    assert (second["vips"], second["devices"], second["gue_port"]) == (["192.0.2.81"], ["eth0"], 6080)
    assert second["tunnel_from"] == ["::/0"]
    assert any("eth1.5 answers ARP" in warning for warning in second["warnings"])
    shown = net.server.run("ip", "address", "show", "dev", "lo").checked().out
    assert "192.0.2.81/32 scope host" in shown
    assert VIP not in shown
    assert VIP6 not in shown
    assert "clsact" not in net.server.run("tc", "qdisc", "show", "dev", "eth1.5").checked().out
    assert net.server.get_sysctl("net.ipv4.conf.eth1/5.arp_announce") == "0"


def test_up_brings_its_own_programs(net: Lan) -> None:
    """Those that run may be of an older version of BPVS."""
    net.agent(*UP).checked()
    (old,) = programs(net.server)
    net.agent(*UP).checked()
    (new,) = programs(net.server)
    assert new != old
    until(lambda: not exists(old), "the old program should be gone")


def test_an_address_that_came_to_another_interface_is_warned_of(net: Lan) -> None:
    """As by keepalived when the machine takes over as the director."""
    net.agent(*UP).checked()
    net.network.configure(net.server, f"address add {VIP}/32 dev eth0", f"address add {VIP6}/128 dev eth0")
    warnings = net.status()["warnings"]
    assert [vip for vip in (VIP, VIP6) for text in warnings if text.startswith(f"{vip} is an address of eth0, too")]
    assert len(warnings) == 2
    net.agent("down").checked()
    shown = net.server.run("ip", "-o", "address", "show", "dev", "eth0").checked().out
    assert VIP in shown
    assert VIP6 in shown


def test_up_repairs(net: Lan) -> None:
    net.agent(*UP).checked()
    whole = state(net)
    net.network.configure(net.server, f"address delete {VIP}/32 dev lo")
    net.server.run("tc", "qdisc", "del", "dev", "eth0", "clsact").checked()
    net.server.set_sysctl("net.ipv4.conf.eth0.arp_announce", 0)
    warnings = net.status()["warnings"]
    assert len(warnings) == 3
    assert [word for word in ("is not on lo", "took our program", "arp_announce") if word in " ".join(warnings)]
    net.agent(*UP).checked()
    repaired = state(net)
    assert net.status()["warnings"] == []
    assert repaired["settings"] == whole["settings"]
    net.agent("down").checked()
    assert "clsact" not in state(net)["qdiscs"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--vip", "224.0.0.1"), 2, "224.0.0.1 cannot be a virtual address: it is multicast"),
        (("--vip", "ff02::1"), 2, "it is multicast"),
        (("--vip", "127.0.0.1"), 2, "it is a loopback address"),
        (("--vip", "fe80::1"), 2, "it is link-local"),
        (("--vip", "0.0.0.0"), 2, "it is unspecified"),
        (("--vip", "::ffff:192.0.2.1"), 2, "it is an IPv4-mapped address"),
        (("--vip", "192.0.2"), 2, "is not an IP address; right would be"),
        ((), 2, "--vip"),
        (("--vip", "10.1.0.2"), 1, "10.1.0.2 is an address of eth0"),
        (("--vip", VIP, "--dev", "eth9"), 1, "interface 'eth9' does not exist; there are eth0"),
        (("--vip", VIP, "--dev", "lo"), 1, "interface 'lo' cannot be attached to"),
        (("--vip", VIP, "--gue-port", "0"), 2, "'0' is not a port"),
        (("--vip", VIP, "--tunnel-from", "10.0.0.1/8"), 2, "10.0.0.1/8 has bits set behind its first 8"),
        (
            tuple(f"--vip=10.77.{n >> 8}.{n & 255}" for n in range(4097)),
            1,
            "4097 virtual addresses: there is room for 4096",
        ),
        (("--vip", VIP, "--toa", "/nowhere"), 1, "/nowhere is not a folder"),
        (("--vip", VIP, "--toa", "/tmp"), 1, "/tmp is not in a cgroup v2 file system"),  # noqa: S108 - any folder
    ],
)
def test_wrong_input_gets_a_sentence_and_changes_nothing(
    net: Lan, words: tuple[str, ...], code: int, sentence: str
) -> None:
    before = state(net)
    done = net.agent("up", *words)
    assert done.code == code
    assert sentence in done.err
    assert state(net) == before


def test_without_an_interface_there_is_nothing_to_do() -> None:
    with Network() as network:
        alone = network.host("alone")
        done = alone.run(*own_tool("bpvs"), "realserver", "up", "--vip", VIP)
    assert (done.code, done.err) == (
        1,
        "bpvs realserver: there is no Ethernet interface that is up: switch one on, or name one by --dev\n",
    )


@pytest.fixture
def cgroup() -> Iterator[Path]:
    folder = cgroup_mount() / f"bpvs-{os.getpid():x}-{secrets.token_hex(2)}"
    folder.mkdir()
    yield folder
    if folder.exists():
        folder.rmdir()


def killed(net: Lan, call: int, *arguments: str) -> bool:
    """Run `bpvs realserver`, killed at that call; False if it came to its end before."""
    with net.server.inside():
        code = subprocess.run(
            [sys.executable, "-c", _KILLED, str(call), "realserver", *arguments],
            check=False,
            stdout=subprocess.DEVNULL,
        ).returncode
    assert code in (0, -signal.SIGKILL)
    return code != 0


def test_whatever_a_killed_up_began_down_undoes(net: Lan, cgroup: Path) -> None:
    before = state(net)
    call = 1
    while killed(net, call, *UP, "--toa", str(cgroup)):
        net.agent("down").checked()
        assert state(net) == before, call
        call += 5 if call > 10 else 1
    assert call > 20
    net.agent("down").checked()
    assert state(net) == before


def test_whatever_a_killed_down_left_another_one_takes(net: Lan) -> None:
    before = state(net)
    call, more = 1, True
    while more:
        net.agent(*UP).checked()
        more = killed(net, call, "down")
        net.agent("down").checked()
        assert state(net) == before, call
        call += 4
    assert call > 10


def test_a_killed_change_is_finished_by_the_next(net: Lan) -> None:
    call = 30
    while killed(net, call, "up", "--vip", VIP):
        net.agent("up", "--vip", VIP6).checked()
        assert net.status()["vips"] == [VIP6]
        assert net.status()["warnings"] == []
        assert VIP not in net.server.run("ip", "address", "show", "dev", "lo").out
        call += 11
    assert call > 30


def test_the_agent_goes_with_its_namespace(cgroup: Path) -> None:
    with lan() as net:
        with net.server.inside():
            number = namespace.cookie()
            command = [*own_tool("bpvs"), "realserver", *UP, "--toa", str(cgroup)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["ip", "netns", "delete", net.server.name], check=True)
        net.network.hosts = {key: host for key, host in net.network.hosts.items() if host is not net.server}
        assert net.peer.run(*own_tool("bpvs"), "realserver", "up", "--vip", VIP).checked()
        left = [name for name in os.listdir(bpffs.root()) if name.startswith(f"{number:x}_")]
        net.peer.run(*own_tool("bpvs"), "realserver", "down").checked()
        assert left == []


def test_a_cgroup_that_is_gone_is_warned_of(net: Lan, cgroup: Path) -> None:
    with net.server.inside():
        command = [*own_tool("bpvs"), "realserver", *UP, "--toa", str(cgroup), "--toa-from", "10.0.0.0/8"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert net.status()["warnings"] == []
    cgroup.rmdir()
    assert [text for text in net.status()["warnings"] if f"the cgroup {cgroup} is gone" in text]
    net.agent("down").checked()
