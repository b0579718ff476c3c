# SPDX-License-Identifier: GPL-2.0-or-later
"""What `bpvs sysctl` refuses before it asks for a data plane."""

from __future__ import annotations

import pytest

from bpvs.cli import main


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["vs.drop_packet=4"], 1, "bpvs sysctl: vs.drop_packet is 0 to 3, not 4\n"),
        (["vs.sloppy_tcp=1", "vs.conntrack=1"], 1, "bpvs sysctl: vs.conntrack cannot be set: balanced packets"),
        (["vs.sync_ports"], 1, "bpvs sysctl: vs.sync_ports has no value here: there is no daemon"),
        (["vs.sync"], 1, "bpvs sysctl: there is no setting vs.sync: `bpvs sysctl` lists them\n"),
        (["-w", "vs.sloppy_tcp"], 1, "bpvs sysctl: `vs.sloppy_tcp' is not NAME=VALUE\n"),
    ],
)
def test_refusals(words: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sysctl", *words]) == code
    assert capsys.readouterr().err.startswith(sentence)


def test_w_wants_something_to_write(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["sysctl", "-w"])
    assert "-w wants vs.NAME=VALUE" in capsys.readouterr().err
