# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs health` and a real daemon."""

from __future__ import annotations

import json
import signal
import subprocess
from importlib.resources import files

import jsonschema
import pytest

from bpvs.cli import main
from bpvs.lab.shell import own_tool
from bpvs.mon.health.client import ask
from tests.mon.running import Mon

CONFIG = """\
hostgroup web 127.0.0.1 127.0.0.2

watch web
service fails
interval 1s
monitor fails.monitor
period wd {Sun-Sat}
alert test.alert
"""


@pytest.fixture
def port(mon: Mon) -> str:
    """The port of a daemon that has seen a failure."""
    mon.script("mon.d/fails.monitor", 'echo 127.0.0.2; echo; echo "HOST 127.0.0.2: on fire"; exit 1')
    mon.configure(CONFIG)
    mon.start()
    port = mon.ports[0]
    mon.wait_until(lambda: ask(port)["alerts"], "an alert")
    return str(port)


def test_the_table_and_the_document(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", "--port", port]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:4] for line in lines[1:3]] == [
        ["web", "fails", "127.0.0.1", "ok"],
        ["web", "fails", "127.0.0.2", "fail"],
    ]
    assert "on fire" in " ".join(lines[2])
    assert main(["health", "--json", "--port", port]) == 0
    found = json.loads(capsys.readouterr().out)
    schema = json.loads(files("bpvs.mon.health").joinpath("schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(found)
    assert found["alerts"][0]["alert"] == "builtin:test.alert"


def test_it_is_explained(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", "--port", port, "explain", "127.0.0.2"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("web:fails fails since ")
    assert "the last check said: on fire." in told
    assert "builtin:test.alert (failure): 127.0.0.2" in told
    assert main(["health", "--port", port, "explain", "nobody"]) == 1
    assert "bpvs health: 'nobody' is no group" in capsys.readouterr().err


def test_a_check_is_run_by_the_file_of_the_daemon(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", "--port", port, "run", "web", "fails"]) == 1
    assert capsys.readouterr().out == "127.0.0.2\n\nHOST 127.0.0.2: on fire\n"


def test_watching_goes_on_until_it_is_interrupted_and_without_the_daemon(port: str, mon: Mon) -> None:
    words = [*own_tool("bpvs"), "health", "--watch", "--port", port]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        seen = 0
        while seen < 2:
            seen += process.stdout.readline().startswith("GROUP ")
        mon.end()
        while "no monitor daemon" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read() == "\nbpvs health: interrupted\n"
