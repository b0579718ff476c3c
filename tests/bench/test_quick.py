# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmarks, in small: every row has a figure and lost no packet, and the namespaces are gone afterwards."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.compile(
    r"^(XDP|TC) +(NAT|DR|TUN|FullNAT|SYNPROXY) +(IPV4|IPV6) +"
    r"(client to server|server to client|new connection|SYN answered) +(.*)$",
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def output() -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench/run.py"), "--quick"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.root
def test_every_row_of_both_tables_has_figures(output: str) -> None:
    live, replayed, *_rest = output.split("\n\n")[1:]
    for table, expected, columns in ((live, 28, 5), (replayed, 22, 2)):
        rows = ROWS.findall(table)
        assert len(rows) == expected, table
        for hook, way, family, kind, figures in rows:
            words = figures.split()
            assert len(words) >= columns, f"{hook} {way} {family} {kind}: {figures}"
            assert all(re.fullmatch(r"-?[\d.]+|-?\d+\.\.-?\d+", word) for word in words[:columns]), figures


@pytest.mark.root
def test_no_row_lost_a_packet(output: str) -> None:
    assert "no result" not in output


@pytest.mark.root
@pytest.mark.parametrize("name", ["-L -n, nothing", "-L -n, empty", "-A, loads", "-R, 10,000", "-L -c -n, 65,536"])
def test_every_command_was_timed(output: str, name: str) -> None:
    (line,) = [line for line in output.splitlines() if line.startswith(f"ipvsadm {name}")]
    assert re.search(r" \d+\.\d +\d+\.\d\.\.\d+\.\d +\d+\.\d", line)


@pytest.mark.root
def test_memory_is_told_by_map(output: str) -> None:
    for name in ("flows", "conns", "free_slots"):
        assert re.search(rf"^map {name} +\d+\.\d +\d+\.\d", output, re.MULTILINE)


@pytest.mark.root
@pytest.mark.parametrize("servers", [200, 4])
def test_the_monitor_daemon_was_timed(output: str, servers: int) -> None:
    (line,) = [line for line in output.splitlines() if re.match(rf"BPVS +{servers} ", line)]
    assert re.fullmatch(
        r"BPVS +\d+ +\d+( +[\d.]+ ms){4} +(NOT )?MET( +[\d.]+ ms){2} .* us +\d+ MiB", line, re.IGNORECASE
    )
