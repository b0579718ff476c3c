# SPDX-License-Identifier: GPL-2.0-or-later
"""The table as people see it."""

from __future__ import annotations

from bpvs.cli.style import Style
from bpvs.mon.health.table import table
from tests.unit.mon.health.scene import SSH, WEB, Scene

PLAIN = Style(colour=False, unicode=True).paint

DURING = """\
GROUP  SERVICE  SERVER          STATE      SINCE  LAST RESULT         NEXT  FLAPS
HTTP1  http     192.168.122.50  fail, out  2 s    connection refused  3 s   1
BOTH   ssh      192.168.122.50  ok, out    7 s    well                3 s   0
BOTH   ssh      192.168.122.51  ok         7 s    well                3 s   0
BOTH   ssh      192.168.122.52  disabled   -      -                   3 s   0
2 services, 1 fails, 1 server out of a virtual service
"""


def test_before_the_first_check(scene: Scene) -> None:
    lines = table(scene.snapshot(), PLAIN).splitlines()
    assert " ".join(lines[1].split()) == "HTTP1 http 192.168.122.50 untested - not checked yet 5 s 0"
    assert lines[-1] == "2 services, none fail, no servers out of a virtual service"


def test_an_outage(scene: Scene) -> None:
    scene.result(SSH, 0)
    scene.result(WEB, 0)
    scene.tick_until(5)
    scene.fail()
    scene.sleep(2)
    assert table(scene.snapshot(), PLAIN) == DURING


def test_a_check_that_runs(scene: Scene) -> None:
    scene.tick_until(5)
    assert " not checked yet  running  0\n" in table(scene.snapshot(), PLAIN)


def test_a_long_result_is_cut_and_harmless(scene: Scene) -> None:
    scene.result(WEB, 1, "192.168.122.50\n192.168.122.50: \x1b[2J" + "long " * 50)
    shown = table(scene.snapshot(), PLAIN)
    assert "\x1b" not in shown
    assert "[2Jlong long" in shown
    assert max(map(len, shown.splitlines())) < 120


def test_who_sees_to_it_and_what_is_switched_off(scene: Scene) -> None:
    scene.fail()
    scene.engine.ack(WEB, "joe", "", scene.now)
    scene.engine.disable_service(WEB, "joe", scene.now)
    scene.engine.stop(scene.now)
    shown = table(scene.snapshot(), PLAIN)
    assert "fail, out, acknowledged, no alerts" in shown
    assert shown.endswith(", the scheduler is stopped\n")


def test_colours_change_no_width(scene: Scene) -> None:
    scene.fail()
    plain, colourful = (table(scene.snapshot(), Style(colour, unicode=True).paint) for colour in (False, True))
    assert "\x1b[31mfail, out\x1b[0m" in colourful
    for code in ("1", "2", "31", "33", "0"):
        colourful = colourful.replace(f"\x1b[{code}m", "")
    assert colourful == plain
