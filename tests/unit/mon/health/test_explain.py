# SPDX-License-Identifier: GPL-2.0-or-later
"""Why something is out, and what must happen for it to return."""

from __future__ import annotations

import pytest

from bpvs.model import VirtualService
from bpvs.mon.core.values import Moment
from bpvs.mon.health.explain import Unknown, explain
from bpvs.testing import MemoryDirector
from tests.unit.mon.health.scene import FIRST, SSH, VIP, WEB, Scene


def told(scene: Scene, what: str, director: MemoryDirector | None = None) -> list[str]:
    return list(explain(scene.snapshot(), what, director.table() if director else None))


def test_a_server_that_is_out(scene: Scene) -> None:
    scene.tick_until(5)
    scene.fail()
    scene.sleep(2)
    director = MemoryDirector()
    director.add_service(VirtualService(VIP))
    assert told(scene, "HTTP1", director) == [
        "HTTP1:http fails since 20:00:05 (2 s ago).",
        "  192.168.122.50: fail since 20:00:05 (2 s ago); the last check said: connection refused.",
        "  Next check by http.monitor at 20:00:10 (in 3 s).",
        "  called at 20:00:05 (2 s ago): /alert.d/lvs.alert (failure): 192.168.122.50",
        "192.168.122.50:80 is removed from tcp:192.168.122.53:80; it had weight 3.",
        "  Held out since 20:00:05 (2 s ago) for HTTP1:http: 192.168.122.50",
        "  It returns when HTTP1:http is well again.",
        "The table has no server 192.168.122.50.",
    ]
    director.add_server(VIP, FIRST)
    assert told(scene, "HTTP1:http", director)[-1] == (
        "The table has 192.168.122.50 in tcp:192.168.122.53:80, port 80, with weight 3."
    )


def test_a_server_is_explained_by_every_service_that_watches_it(scene: Scene) -> None:
    lines = told(scene, "192.168.122.50")
    assert [line for line in lines if not line.startswith(" ")] == [
        "HTTP1:http was not checked yet.",
        "BOTH:ssh was not checked yet.",
    ]
    assert not any("192.168.122.51" in line for line in lines)


def test_what_keeps_alerts_away(scene: Scene) -> None:
    scene.result(SSH, 1, "192.168.122.51")
    scene.engine.ack(SSH, "joe", "on it", scene.now)
    scene.engine.disable_watch("BOTH")
    lines = told(scene, "BOTH")
    assert "  192.168.122.52: disabled; it is not checked until a client says `enable host`." in lines
    assert "  Alerts of the group are disabled: nothing goes out of the table or comes back." in lines
    assert "  Acknowledged by joe: on it: no more alerts until it is well." in lines
    assert "  No period with alerts holds now." in lines
    scene.engine.stop(scene.now)
    assert "  No check is due: the scheduler is stopped." in told(scene, "BOTH")


@pytest.mark.parametrize(
    ("change", "condition"),
    [
        (lambda entry: entry["holders"].update(GONE=entry["holders"].pop("HTTP1:http")), "GONE is not configured"),
        (
            lambda entry: entry["holders"].update({"BOTH:ssh": entry["holders"]["HTTP1:http"]}),
            "HTTP1:http is well again and somebody adds it by ipvsadm, for BOTH:ssh has no `upalert lvs.alert`,",
        ),
    ],
)
def test_what_must_happen(scene: Scene, change: object, condition: str) -> None:
    scene.fail()
    scene.result(SSH, 1, "192.168.122.50")
    found = scene.snapshot()
    assert callable(change)
    change(found["out"][0])
    assert any(condition in line for line in explain(found, "192.168.122.50", None))


def test_well_but_out(scene: Scene) -> None:
    scene.fail()
    scene.now = Moment(scene.now.clock + 5, scene.now.epoch + 5)
    scene.result(WEB, 0)
    lines = told(scene, "HTTP1")
    assert any("it is well now, but its upalert was not called" in line for line in lines)


def test_what_nobody_knows_is_refused_with_what_there_is(scene: Scene) -> None:
    with pytest.raises(Unknown, match=r"^'10\.9\.9\.9' is no group, .*; the groups are HTTP1, BOTH$"):
        told(scene, "10.9.9.9")
