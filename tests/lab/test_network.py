# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab itself: real stacks, unique names, nothing left behind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bpvs.lab.network import Network, remove
from bpvs.lab.shell import LabError
from bpvs.lab.topology import Routed, Tutorial, routed
from bpvs.lab.webserver import checksum
from bpvs.net import namespace
from bpvs.net.links import links

pytestmark = pytest.mark.root


def namespaces(name: str) -> list[str]:
    return sorted(entry.name for entry in Path(namespace.NAMED).glob(f"{name}*"))


def test_every_machine_of_the_routed_network_reaches_the_next(net: Routed) -> None:
    for address, answer in zip(net.addresses, ("one", "two", "three"), strict=True):
        assert net.client.curl(f"http://{address}:8080/").checked().out == f"{answer}\n"
    for address in net.addresses6:
        assert net.client.curl(f"http://[{address}]:8080/client").checked().out.split()[0] == "fd09::2"


def test_the_machines_of_the_tutorial_share_one_lan(lan: Tutorial) -> None:
    for address in lan.addresses:
        assert lan.director.curl(f"http://{address}/").checked().out == f"{address}\n"
        assert lan.director.curl(f"http://{address}/client").checked().out.split()[0] == lan.vip


def test_a_body_arrives_as_its_checksum_says(net: Routed, tmp_path: Path) -> None:
    size = 1_000_003
    file = tmp_path / "body"
    net.client.curl("-o", str(file), f"http://{net.addresses[0]}:8080/size/{size}").checked()
    told = net.client.curl("-T", str(file), f"http://{net.addresses[1]}:8080/").checked().out
    assert told.split() == [checksum(size), str(size)]


def test_the_machines_own_namespace_gets_no_interface() -> None:
    before = [link.name for link in links()]
    with routed():
        assert [link.name for link in links() if link.name.startswith(("port", "outside", "inside"))] == []
    assert [link.name for link in links() if link.name not in before and link.kind != "veth"] == []


def test_two_networks_have_different_names() -> None:
    with Network() as one, Network() as other:
        assert one.name != other.name
        assert set(namespaces(one.name)).isdisjoint(namespaces(other.name))


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_leaving_removes_namespaces_and_programs_whatever_happened(interruption: type[BaseException]) -> None:
    network = Network()
    processes = []

    def work() -> None:
        with network:
            host = network.host("web")
            host.serve("hello")
            processes.extend(host.processes)
            raise interruption

    with pytest.raises(interruption):
        work()
    assert namespaces(network.name) == []
    (server,) = processes
    assert server.poll() is not None


def test_a_network_left_standing_is_removed_by_its_name() -> None:
    with Network(keep=True) as network:
        host = network.host("web")
        host.serve("hello")
    assert namespaces(network.name) == [f"{network.name}-web", f"{network.name}-wire"]
    assert remove(network.name) == [f"{network.name}-web", f"{network.name}-wire"]
    assert namespaces(network.name) == []
    (server,) = host.processes
    assert server.wait(5) != 0
    assert server.stdout is not None
    server.stdout.close()


def test_removing_what_is_not_there_says_how_to_look() -> None:
    with pytest.raises(LabError, match="there is no network bpvs-nosuch; `ip netns list` shows"):
        remove("bpvs-nosuch")


def test_removing_touches_only_labs() -> None:
    with pytest.raises(LabError, match="there is no network other"):
        remove("other")


def test_a_refused_configuration_names_the_command_and_its_words() -> None:
    with Network() as network:
        host = network.host("one")
        with pytest.raises(LabError, match=r"ip -n .*-one -batch -` gave exit code 1: .*nosuchdev"):
            network.configure(host, "link set nosuchdev up")


def test_inside_brings_the_thread_back_and_children_along() -> None:
    home = os.stat("/proc/thread-self/ns/net").st_ino
    with Network() as network:
        host = network.host("one")
        with host.inside():
            assert [link.name for link in links()] == ["lo"]
            seen = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout
            assert [line.split()[0] for line in seen.splitlines()] == ["lo"]
            cookie = namespace.cookie()
        assert os.stat("/proc/thread-self/ns/net").st_ino == home
        assert namespace.cookie() != cookie


def test_entering_a_namespace_that_is_not_there_changes_nothing() -> None:
    home = os.stat("/proc/thread-self/ns/net").st_ino
    with pytest.raises(FileNotFoundError), namespace.inside("bpvs-nosuch"):
        raise AssertionError("entered a namespace that does not exist")
    assert os.stat("/proc/thread-self/ns/net").st_ino == home


def test_a_server_that_cannot_start_is_reported(bare: Routed) -> None:
    bare.servers[0].serve("first", 8080)
    with pytest.raises(LabError, match=r"the web server on port 8080 of .* did not start \(exit code"):
        bare.servers[0].serve("second", 8080)
