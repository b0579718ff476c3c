# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import re
from pathlib import Path

import pytest

from bpvs.kernel import _abi
from bpvs.model import InvalidSysctl
from bpvs.model.sysctls import FIXED_SYSCTLS, SYSCTLS, changeable, default_sysctls, fixed_sysctls, sysctl_name

RECORDING = Path(__file__).parents[2] / "golden/ipvsadm/c00_defaults.out"


def test_names_and_defaults_are_the_kernels() -> None:
    recorded = dict(re.findall(r"^net\.ipv4\.vs\.(\w+) = (.+)$", RECORDING.read_text(), re.MULTILINE))
    assert recorded.keys() == SYSCTLS.keys() | FIXED_SYSCTLS.keys()
    told = default_sysctls() | fixed_sysctls()
    assert {name: int(recorded[name]) for name in told} == told


def test_the_table_is_what_the_data_path_reads() -> None:
    assert _abi.VS.pack(**default_sysctls())
    assert len(SYSCTLS) * 4 == _abi.VS.size


def test_each_default_is_in_its_range() -> None:
    assert changeable(default_sysctls()) == default_sysctls()


@pytest.mark.parametrize(
    "text", ["drop_packet", "vs.drop_packet", "net.ipv4.vs.drop_packet", "net/ipv4/vs/drop_packet"]
)
def test_names_have_the_kernels_prefix_or_less(text: str) -> None:
    assert sysctl_name(text) == "drop_packet"


@pytest.mark.parametrize("text", ["net.ipv4.drop_packet", "vs.", "", "drop", "vs.vs.drop_packet"])
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(InvalidSysctl, match="there is no setting"):
        sysctl_name(text)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("drop_packet", 4, "vs.drop_packet is 0 to 3, not 4"),
        ("drop_packet", -1, "vs.drop_packet is 0 to 3, not -1"),
        ("sloppy_tcp", 2**31, "vs.sloppy_tcp is 0 to 2147483647, not 2147483648"),
        ("lblc_expiration", 8589935, "vs.lblc_expiration is 0 to 8589934, not 8589935"),
        ("conntrack", 1, "vs.conntrack cannot be set: balanced packets never reach netfilter"),
        ("sync_version", 1, "vs.sync_version cannot be set: there is no daemon"),
        ("snat_reroute", 0, "vs.snat_reroute cannot be set: replies are routed once"),
    ],
)
def test_values_out_of_range_are_refused_in_a_sentence(name: str, value: int, sentence: str) -> None:
    with pytest.raises(InvalidSysctl, match=sentence):
        changeable({"sloppy_sctp": 1, name: value})


def test_the_one_value_of_a_fixed_setting_may_be_set() -> None:
    assert fixed_sysctls()
    assert changeable(fixed_sysctls()) == {}
