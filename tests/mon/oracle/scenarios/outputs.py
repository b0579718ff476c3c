# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever a monitor prints and however it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.mon.oracle.scenario import ALERT, UP, Result, fail, scenario, watch, well

if TYPE_CHECKING:
    from tests.mon.oracle.scenario import Scenario

_ALWAYS = watch(ALERT, UP)


def _printed(name: str, output: str) -> Scenario:
    return scenario(f"output_{name}", _ALWAYS, fail(output), fail(output), well(output), fail(output))


SCENARIOS = [
    _printed("empty", ""),
    _printed("line", "h1"),
    _printed("lines", "h1\\none\\n\\n  two\\n"),
    _printed("blank_line", "\\nh1\\n"),
    _printed("blanks", "  h1  h2 \\t\\n"),
    _printed("returns", "h1\\r\\ndetail\\r\\n"),
    _printed("backslashes", 'h1 \\\\ \\\\20 "quoted" = %%\\n\\\\n\\n'),
    _printed("letters", "h1 \\303\\251\\n\\303\\251\\n"),
    scenario("output_stderr", _ALWAYS, Result("echo trouble >&2; echo h1; exit 1"), Result("echo h1; exit 0")),
    scenario("output_much", _ALWAYS, Result("echo h1; seq 3000; exit 1"), well()),
    scenario("sigpipe", _ALWAYS, Result("kill -PIPE $$; echo h1 lives; exit 1"), well()),
    scenario("ends_by_signal", _ALWAYS, Result("echo h1; kill -9 $$")),
    scenario("stdin", _ALWAYS, Result("cat; wc -c; exit 3")),
    scenario(
        "environment",
        watch(ALERT, UP, service='LAB_VAR= leading "quotes"  kept\nLAB_B=$$HOME\\n\nMON_GROUP=x\ndescription a "b"  c'),
        well("fine\\n"),
        fail(),
        fail("h2\\n"),
        well("fine\\n"),
        well(),
    ),
    scenario(
        "arguments",
        watch(ALERT).replace("ctl.monitor", """ctl.monitor -p 1 "two words" 'q q' "" a\\ b $HOME *"""),
        fail(),
    ),
]
