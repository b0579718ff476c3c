# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever line a client sends, there is one final line, and every line is a line."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bpvs.mon.protocol.commands import COMMANDS
from bpvs.mon.protocol.session import Session, answer
from bpvs.text.mon.escape import decode
from tests.mon.desk import Desk
from tests.mon.small import AUTH, CONFIG

# A login that fails takes its time; anybody is let in here.
WORDS = st.sampled_from(
    [
        *COMMANDS,
        *("watch", "service", "host", "web", "solo", "http", "ping", "192.0.2.10", "opstatus", "maxkeep", "interval"),
        *("timers", "monitor", "alert", "config", "1", "wd {Sun-Sat}", "'", '"', "\\", "all", "keepstate", "web,http"),
        *("left", "deps", "disabled", "alerthist", "failurehist", "state", "group", "aliases", "fail", "ok"),
    ]
)
TEXTS = st.binary(max_size=30).map(decode).map(lambda text: text.replace("\n", ""))
LINES = st.lists(WORDS | TEXTS, max_size=7).map(" ".join)
FINAL = re.compile(r"[2-5]\d\d .*", re.DOTALL)


@settings(max_examples=200)
@given(st.lists(LINES, min_size=1, max_size=20))
def test_one_final_line(lines: list[str]) -> None:
    async def converse(folder: Path) -> None:
        desk = Desk(folder)
        session = Session(desk, "127.0.0.1", user="alice")
        for line in lines:
            if line.lower().startswith("login"):
                line = f"login alice {line}"  # noqa: PLW2901
            reply = await answer(session, line)
            data = list(reply.lines)
            assert FINAL.fullmatch(reply.final), line
            assert not any("\n" in one for one in (*data, reply.final)), line
            assert not any(FINAL.match(one) for one in data), line

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "mon.cf").write_text(CONFIG)
        (Path(folder) / "auth.cf").write_text(AUTH)
        asyncio.run(converse(Path(folder)))
