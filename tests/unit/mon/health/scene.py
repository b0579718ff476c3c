# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon's view without a daemon: an engine on a clock of the test's own, and what lvs.alert wrote."""

from __future__ import annotations

from pathlib import Path

from bpvs.model import Address, Method, Protocol, RealServer, ServiceKey
from bpvs.model.mon import Key
from bpvs.mon.health.client import Snapshot
from bpvs.mon.health.snapshot import snapshot
from bpvs.mon.lvs.book import Book, Holder, Taken
from tests.unit.mon.core.stage import EPOCH, Stage

VIP = ServiceKey.at(Protocol.TCP, Address.parse("192.168.122.53"), 80)
FIRST = RealServer(Address.parse("192.168.122.50"), 80, Method.NAT, 3)
CONFIG = """\
statedir = {statedir}

hostgroup HTTP1 192.168.122.50
hostgroup BOTH 192.168.122.50 192.168.122.51 *192.168.122.52

watch HTTP1
service http
description the shop
interval 5s
monitor http.monitor
period wd {{Sun-Sat}}
alert lvs.alert
upalert lvs.alert

watch BOTH
service ssh
interval 10s
monitor ssh.monitor
period hr {{1am-2am}}
alert mail.alert root
"""
WEB, SSH = Key("HTTP1", "http"), Key("BOTH", "ssh")


class Scene(Stage):
    """The view of a daemon that started with the stage."""

    def __init__(self, folder: Path) -> None:
        super().__init__(CONFIG.format(statedir=folder))
        self.folder = folder
        self.config_file = Path("/etc/mon/mon.cf")
        self.started = float(EPOCH)

    def fail(self) -> None:
        """The web server dies, and lvs.alert takes it out."""
        self.result(WEB, 1, "192.168.122.50\n\nHOST 192.168.122.50: connection refused\n")
        holders = {str(WEB): Holder("192.168.122.50", int(self.now.epoch), "192.168.122.50")}
        taken = Taken(VIP, FIRST, is_removed=True, holders=holders)
        assert Book(str(self.folder)).save({taken.place: taken}) == ""

    def snapshot(self) -> Snapshot:
        return snapshot(self, self.now)
