# SPDX-License-Identifier: GPL-2.0-or-later
"""One instance per network namespace: loaded at first use, extended to new interfaces, taken away without a trace."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
from pathlib import Path

import pytest

from bpvs.kernel import bpffs
from bpvs.lab import listing
from bpvs.lab.host import Host
from bpvs.lab.network import Network
from bpvs.lab.shell import own_tool, run
from bpvs.lab.topology import Routed, Tutorial, tutorial
from bpvs.lab.wait import until
from bpvs.net import namespace
from bpvs.net.links import links

pytestmark = pytest.mark.root

PINS = Path(bpffs.root())
LIBBPF = ctypes.CDLL("libbpf.so.1", use_errno=True)


def balance(net: Routed) -> None:
    net.director.ipvsadm("-A", "-t", f"{net.vip}:80", "-s", "rr").checked()
    net.director.ipvsadm("-a", "-t", f"{net.vip}:80", "-r", "10.0.1.11:8080", "-m").checked()


def cookie(host: Host) -> int:
    with host.inside():
        return namespace.cookie()


def pinned(number: int) -> list[Path]:
    return [path for path in PINS.glob("*") if path.name in (f"{number:x}", f"{number:x}_new")]


def settings(host: Host) -> dict[str, str]:
    """Every setting below /proc/sys/net that can be read; the ones that count something change by themselves."""
    with host.inside():
        found = subprocess.run(["grep", "-rs", "", "/proc/sys/net"], capture_output=True, text=True, check=False).stdout
    return dict(
        line.split(":", 1) for line in found.splitlines() if "/neigh/" not in line and "conntrack_count" not in line
    )


def attachments(host: Host) -> list[str]:
    """Queueing disciplines, filters and XDP programs of every interface of the host."""
    with host.inside():
        found = links()
    lines = host.run("tc", "qdisc", "show").checked().out.splitlines()
    for link in found:
        lines.append(f"{link.name} xdp {link.xdp_mode} {link.xdp_program}")
        for side in ("ingress", "egress"):
            lines += host.run("tc", "filter", "show", "dev", link.name, side).out.splitlines()
    return lines


def programs(host: Host) -> set[int]:
    return {int(number) for line in attachments(host) for number in re.findall(r"\bid (\d+)\b", line)}


def exists(program: int) -> bool:
    fd = LIBBPF.bpf_prog_get_fd_by_id(program)
    if fd < 0:
        return False
    os.close(fd)
    return True


def test_nothing_is_loaded_for_looking_at_an_empty_table(bare: Routed) -> None:
    before = attachments(bare.director)
    assert listing.table(bare.director.ipvsadm("-L", "-n").checked().out) == {}
    assert attachments(bare.director) == before
    assert pinned(cookie(bare.director)) == []


def test_the_first_change_attaches_to_every_interface_and_lo(bare: Routed) -> None:
    before = attachments(bare.director)
    balance(bare)
    added = set(attachments(bare.director)) - set(before)
    for interface in ("lo", "ext", "int"):
        assert any(f"clsact ffff: dev {interface} " in line for line in added), (interface, added)
    assert len(pinned(cookie(bare.director))) == 1


def test_down_leaves_no_program_map_qdisc_or_setting(bare: Routed) -> None:
    before, before_settings = attachments(bare.director), settings(bare.director)
    number = cookie(bare.director)
    balance(bare)
    loaded = programs(bare.director)
    maps = {one for program in loaded for one in maps_of(program)}
    assert loaded
    assert maps

    bare.director.bpvs("down").checked()
    assert attachments(bare.director) == before
    assert settings(bare.director) == before_settings
    assert pinned(number) == []
    until(lambda: not any(exists(program) for program in loaded), f"programs {loaded} unloaded", 10)
    until(lambda: not any(map_exists(one) for one in maps), f"maps {maps} freed", 10)
    assert listing.table(bare.director.ipvsadm("-L", "-n").checked().out) == {}


def test_down_leaves_what_was_there_before_us(bare: Routed) -> None:
    bare.director.run("tc", "qdisc", "add", "dev", "ext", "clsact").checked()
    bare.director.set_sysctl("net.ipv4.conf.lo.accept_local", 1)
    before, before_settings = attachments(bare.director), settings(bare.director)
    balance(bare)
    assert attachments(bare.director) != before
    bare.director.bpvs("down").checked()
    assert attachments(bare.director) == before
    assert settings(bare.director) == before_settings


def test_down_leaves_a_filter_that_somebody_added_meanwhile(bare: Routed) -> None:
    before = attachments(bare.director)
    balance(bare)
    matches_all = ("prio", "7", "protocol", "ip", "u32", "match", "u32", "0", "0", "classid", "1:1")
    added = bare.director.run("tc", "filter", "add", "dev", "ext", "egress", *matches_all)
    if added.code != 0:
        pytest.skip(f"this kernel has no u32 classifier: {added.err.strip()}")
    bare.director.bpvs("down").checked()
    left = set(attachments(bare.director)) - set(before)
    assert any("clsact ffff: dev ext " in line for line in left)
    assert any("u32" in line for line in left)
    assert not any("dev int" in line or "director" in line for line in left)


def test_down_twice_and_down_without_up_are_no_failures(bare: Routed) -> None:
    bare.director.bpvs("down").checked()
    balance(bare)
    bare.director.bpvs("down").checked()
    bare.director.bpvs("down").checked()


def test_after_down_it_starts_again_with_an_empty_table(net: Routed) -> None:
    balance(net)
    net.director.bpvs("down").checked()
    assert net.client.curl("--max-time", "5", f"http://{net.vip}/").code == 7
    balance(net)
    assert net.client.curl(f"http://{net.vip}/").checked().out == "one\n"


def test_up_attaches_before_the_first_service(net: Routed) -> None:
    net.director.bpvs("up").checked()
    assert len(pinned(cookie(net.director))) == 1
    assert net.client.curl("http://10.0.1.11:8080/").checked().out == "one\n"
    assert net.director.bpvs("status").checked().out != ""


def second_client(net: Routed) -> Host:
    """A client in a third network, on an interface that the director did not have before."""
    lan = net.network.switch("late")
    client = net.network.host("second")
    net.network.plug(client, "eth0", lan, "10.8.0.2/24")
    net.network.plug(net.director, "late0", lan, "10.8.0.1/24")
    net.network.configure(client, "route add default via 10.8.0.1")
    return client


@pytest.mark.parametrize("command", ["ipvsadm", "bpvs up"])
def test_an_interface_that_appears_later_is_picked_up(net: Routed, command: str) -> None:
    balance(net)
    client = second_client(net)
    if command == "ipvsadm":
        net.director.ipvsadm("-A", "-t", f"{net.vip}:81", "-s", "rr").checked()
    else:
        net.director.bpvs("up").checked()
    assert client.curl("--max-time", "5", f"http://{net.vip}/client").checked().out.split()[0] == "10.8.0.2"


def test_an_interface_that_disappears_is_no_trouble(net: Routed) -> None:
    second_client(net)
    balance(net)
    net.network.configure(net.director, "link delete late0")
    net.director.ipvsadm("-a", "-t", f"{net.vip}:80", "-r", "10.0.1.12:8080", "-m").checked()
    assert net.client.curl(f"http://{net.vip}/").checked().out == "two\n"
    net.director.bpvs("down").checked()


def test_two_namespaces_hold_two_instances(lan: Tutorial) -> None:
    with tutorial() as other:
        for one, weight in ((lan, 1), (other, 2)):
            one.director.ipvsadm("-A", "-t", f"{one.vip}:80", "-s", "rr").checked()
            one.director.ipvsadm("-a", "-t", f"{one.vip}:80", "-r", f"{one.addresses[0]}:80", "-m", "-w", str(weight))
        assert pinned(cookie(lan.director)) != pinned(cookie(other.director))
        other.director.ipvsadm("-C").checked()
        (row,) = listing.table(lan.director.ipvsadm("-L", "-n").checked().out).values()
        assert [server.weight for server in row.servers.values()] == [1]
        assert listing.table(other.director.ipvsadm("-L", "-n").checked().out) == {}
        other.director.bpvs("down").checked()
        assert lan.director.curl(lan.vip).checked().out == "192.168.122.50\n"


def test_an_instance_whose_namespace_is_gone_is_removed_by_the_next_command(lan: Tutorial) -> None:
    with Network() as network:
        host = network.host("short-lived")
        host.ipvsadm("-A", "-t", "10.0.0.1:80", "-s", "rr").checked()
        number = cookie(host)
        assert len(pinned(number)) == 1
        host.is_director = False  # so that leaving does not tidy up by itself

    def gone() -> bool:
        lan.director.ipvsadm("-A", "-t", "10.0.0.2:80", "-s", "rr")
        lan.director.ipvsadm("-C").checked()
        return pinned(number) == []

    until(gone, f"the pins of namespace {number:x} removed")


def test_the_table_is_the_same_seen_through_ip_netns_exec_and_through_setns(net: Routed) -> None:
    """`ip netns exec` hides the caller's mounts; the instance must not depend on them."""
    balance(net)
    with net.director.inside():
        direct = run([*own_tool("ipvsadm"), "-L", "-n"]).checked().out
        run([*own_tool("ipvsadm"), "-a", "-t", f"{net.vip}:80", "-r", "10.0.1.12:8080", "-m"]).checked()
    assert len(listing.table(direct)) == 1
    (row,) = listing.table(net.director.ipvsadm("-L", "-n").checked().out).values()
    assert list(row.servers) == ["10.0.1.11:8080", "10.0.1.12:8080"]


def test_the_machines_own_namespace_is_not_touched(lan: Tutorial) -> None:
    before = [(link.name, link.xdp_program) for link in links() if link.kind != "veth"]
    lan.director.ipvsadm("-A", "-t", f"{lan.vip}:80", "-s", "rr").checked()
    assert [(link.name, link.xdp_program) for link in links() if link.kind != "veth"] == before
    for name, _program in before:
        assert "director" not in run(["tc", "filter", "show", "dev", name, "ingress"]).out


def maps_of(program: int) -> list[int]:
    """The ids of the maps that a program uses; struct bpf_prog_info of include/uapi/linux/bpf.h."""
    fd = LIBBPF.bpf_prog_get_fd_by_id(program)
    assert fd >= 0, f"program {program} is gone"
    try:
        ids = (ctypes.c_uint32 * 64)()
        information = (ctypes.c_uint64 * 16)()
        fields = ctypes.cast(information, ctypes.POINTER(ctypes.c_uint32))
        fields[13] = len(ids)  # nr_map_ids at 52
        information[7] = ctypes.addressof(ids)  # map_ids at 56
        size = ctypes.c_uint32(ctypes.sizeof(information))
        assert LIBBPF.bpf_obj_get_info_by_fd(fd, information, ctypes.byref(size)) == 0
        return list(ids[: fields[13]])
    finally:
        os.close(fd)


def map_exists(number: int) -> bool:
    fd = LIBBPF.bpf_map_get_fd_by_id(number)
    if fd < 0:
        return False
    os.close(fd)
    return True
