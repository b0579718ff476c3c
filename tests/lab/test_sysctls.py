# SPDX-License-Identifier: GPL-2.0-or-later
"""IPVS's settings on a real instance: read, changed, saved."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bpvs.director import Director
from bpvs.lab.topology import Routed
from bpvs.model import InvalidSysctl
from bpvs.model.sysctls import default_sysctls, fixed_sysctls

pytestmark = pytest.mark.root


@pytest.fixture
def director(bare: Routed) -> Iterator[Director]:
    with bare.director.inside():
        yield Director()


def test_settings_can_be_read_before_there_is_an_instance_and_setting_one_loads_it(director: Director) -> None:
    assert director.sysctls() == default_sysctls() | fixed_sysctls()
    assert director.instance() is None
    director.set_sysctls({"drop_packet": 3, "lblc_expiration": 60})
    assert director.overview() is not None
    expected = default_sysctls() | fixed_sysctls() | {"drop_packet": 3, "lblc_expiration": 60}
    assert Director().sysctls() == expected
    with pytest.raises(InvalidSysctl):
        director.set_sysctls({"drop_packet": 0, "drop_entry": 4})
    assert director.sysctls() == expected


def test_the_command_shows_and_changes_settings_and_saving_keeps_them(bare: Routed) -> None:
    host = bare.director
    shown = host.bpvs("sysctl").checked().out.splitlines()
    assert [line.split()[0] for line in shown] == sorted(f"vs.{name}" for name in default_sysctls() | fixed_sysctls())
    assert host.bpvs("status").code == 3
    done = host.bpvs("sysctl", "-w", "net.ipv4.vs.drop_packet=3", "vs.sloppy_tcp=1", "vs.conntrack=0").checked()
    assert done.out == "vs.drop_packet = 3\nvs.sloppy_tcp = 1\nvs.conntrack = 0\n"
    assert host.bpvs("sysctl", "vs.drop_packet=0", "vs.drop_entry=4").code == 1
    assert "vs.drop_packet = 3                    # default 0\n" in host.bpvs("sysctl").out
    (found,) = json.loads(host.bpvs("sysctl", "--json", "vs.drop_packet").out)["sysctls"]
    assert (found["value"], found["default"], found["highest"]) == (3, 0, 3)
    saved = host.ipvsadm("-S", "-n").checked().out
    assert saved == "--sysctl vs.drop_packet=3\n--sysctl vs.sloppy_tcp=1\n"
    host.bpvs("down").checked()
    host.ipvsadm("-R", stdin=saved).checked()
    assert host.ipvsadm("-S", "-n").out == saved
