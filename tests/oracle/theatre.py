# SPDX-License-Identifier: GPL-2.0-or-later
"""One boot of the virtual machine in which scenarios are played on both sides, and the judgement over them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

import vm
from compile_bpf import ROOT
from tests.oracle.accepted import ACCEPTED, Accepted
from tests.oracle.compare import OURS, REAL, Transcripts, accepting, differences, shown, transcripts

MODULES = ("ip_vs", "nf_tables", "veth", "dummy")
PROGRAMS = ("ipvsadm", "ip", "nft", "sysctl", "cat")


def play(names: Sequence[str], seconds: int, jobs: int) -> Transcripts:
    """What both sides printed, each in as many processes. Skips where there is no machine."""
    player = f"PYTHONPATH={ROOT}:{ROOT}/src {ROOT}/.venv/bin/python tests/oracle/player.py"
    loading = "; ".join(f"modprobe {name}" for name in MODULES)
    try:
        result = vm.run(f"{loading}; {player} {jobs} {REAL},{OURS} '{','.join(names)}'", seconds, PROGRAMS)
    except vm.VmUnavailableError as error:
        pytest.skip(str(error))
    found = transcripts(result.output)
    missing = [f"{name} on {side}" for side in (REAL, OURS) for name in names if name not in found[side]]
    assert not missing, f"these were not played: {', '.join(missing)}\n{result.output[-3000:]}"
    return found


def judge(played: Transcripts, name: str) -> str:
    """Side by side what differs in a scenario and is not accepted; "" for nothing."""
    real, ours = played[REAL][name], played[OURS][name]
    found = [one for one in differences(name, real, ours) if not accepting(one, ACCEPTED)]
    return f"{name}:\n{shown(found, real)}" if found else ""


def no_longer(played: Transcripts) -> list[Accepted]:
    """Accepted differences that did not occur, though a scenario that they name was played."""
    used = {
        accepting(one, ACCEPTED)
        for name in played[REAL]
        for one in differences(name, played[REAL][name], played[OURS][name])
    }
    return [one for one in ACCEPTED if one not in used and any(one.concerns(name) for name in played[REAL])]
