# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of lvs.alert."""

from __future__ import annotations

import pytest

from bpvs.model import Address, Family, Protocol, RealServer, ServiceKey
from bpvs.mon.alerts.calling import AlertFailed
from bpvs.mon.lvs.choice import Choice, read

VIP = ServiceKey.at(Protocol.TCP, Address.parse("192.0.2.1"), 80)
SERVER = RealServer(Address.parse("10.0.0.1"), 8080)


def test_nothing_said_is_removal_from_every_service() -> None:
    assert read([]) == Choice()
    assert Choice().takes(VIP, SERVER)


def test_services_and_ports() -> None:
    choice = read(["--service", "tcp:192.0.2.1:80", "--service", "fwm:7", "--port", "8080", "--quiesce", "--keep-last"])
    assert choice == Choice((VIP, 7), 8080, removes=False, keeps_last=True)
    assert choice.takes(VIP, SERVER)
    assert choice.takes(ServiceKey.marked(7, Family.IPV6), SERVER)
    assert not choice.takes(ServiceKey.marked(8), SERVER)
    assert not choice.takes(ServiceKey.at(Protocol.UDP, Address.parse("192.0.2.1"), 80), SERVER)
    assert not choice.takes(VIP, RealServer(SERVER.address, 8081))


def test_ipv6_stands_in_brackets() -> None:
    (found,) = read(["--service", "udp:[2001:db8::1]:53"]).services or ()
    assert found == ServiceKey.at(Protocol.UDP, Address.parse("2001:db8::1"), 53)


@pytest.mark.parametrize(
    "text", ["192.0.2.1:80", "tcp:2001:db8::1:80", "tcp:192.0.2.1:99999", "fwm:0", "fwm:4294967296", "tcp:1.2.3:80"]
)
def test_what_is_no_service_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(AlertFailed, match=r"is no service; right would be tcp:192\.0\.2\.1:80"):
        read(["--service", text])


@pytest.mark.parametrize(
    "words", [["--port", "0"], ["--port", "65536"], ["--remove", "--quiesce"], ["--keep"], ["server"]]
)
def test_other_nonsense_is_refused(words: list[str]) -> None:
    with pytest.raises(AlertFailed, match=r"^lvs\.alert: "):
        read(words)
