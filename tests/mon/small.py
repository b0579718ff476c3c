# SPDX-License-Identifier: GPL-2.0-or-later
"""A small office: one group of two hosts with two services, and rights for alice, bob and everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mon.desk import Desk

CONFIG = """\
hostgroup web 192.0.2.10 192.0.2.11

hostgroup solo 192.0.2.20

view left web
view right solo:ping

watch web
  service http
    description The "web"
    interval 5s
    monitor http.monitor
    period wd {Sun-Sat}
      alert test.alert
      upalert test.alert
      ackalert test.alert
  service ping
    interval 60s
    monitor ping.monitor
    depend SELF:http

watch solo
  service ping
    interval 60s
    monitor ping.monitor
"""

AUTH = """\
list: all
servertime: all
get: AUTH_ANY, !eve
set: alice
ack: AUTH_ANY
disable: alice
enable: alice
clear: alice
test: alice
reset: alice
reload: alice
stop: alice
start: alice
term: alice
savestate: alice
loadstate: alice
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "mon.cf").write_text(CONFIG)
    (tmp_path / "auth.cf").write_text(AUTH)
    return Desk(tmp_path)
