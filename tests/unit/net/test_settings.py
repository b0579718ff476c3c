# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of kernel settings, drivers, and the namespace's number."""

from __future__ import annotations

import pytest

from bpvs.net import namespace, sysctl
from bpvs.net.driver import driver, has_native_xdp


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/5.rp_filter", "/proc/sys/net/ipv4/conf/eth0.5/rp_filter"),
    ],
)
def test_dots_and_slashes_change_places_as_in_sysctl(name: str, path: str) -> None:
    assert sysctl.path(name) == path


def test_a_value_has_no_newline() -> None:
    assert sysctl.read("kernel.ostype") == "Linux"


def test_a_setting_that_this_kernel_lacks() -> None:
    assert not sysctl.exists("net.ipv4.no_such_setting")
    with pytest.raises(FileNotFoundError, match=r"/proc/sys/net/ipv4/no_such_setting"):
        sysctl.read("net.ipv4.no_such_setting")


def test_the_number_of_this_namespace_stays_the_same() -> None:
    assert namespace.cookie() == namespace.cookie() > 0


def test_lo_has_no_driver_to_speak_of() -> None:
    assert driver("lo") == ""


@pytest.mark.parametrize(
    ("name", "native"), [("ixgbe", True), ("virtio_net", True), ("veth", False), ("", False), ("e1000", False)]
)
def test_xdp_is_used_where_the_driver_redirects_without_loss(name: str, native: bool) -> None:
    assert has_native_xdp(name) is native
