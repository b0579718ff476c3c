# SPDX-License-Identifier: GPL-2.0-or-later
"""What ipvsadm has beyond 1.31, on a real instance: JSON, rehearsals, all lines or none."""

from __future__ import annotations

import json
import socket
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from bpvs.director import Director
from bpvs.lab.topology import Routed

pytestmark = pytest.mark.root

VALIDATOR = jsonschema.Draft202012Validator(json.loads(files("bpvs.ipvsadm").joinpath("schema.json").read_text()))
TABLE = """\
-A -t 10.9.0.100:80 -s rr
-a -t 10.9.0.100:80 -r 10.0.1.11:8080 -m -w 3
"""


def shown(net: Routed, *words: str) -> Any:
    document = json.loads(net.director.ipvsadm(*words, "--json").checked().out)
    VALIDATOR.validate(document)
    return document


def test_listings_for_programs(net: Routed) -> None:
    net.director.ipvsadm("-R", stdin=TABLE).checked()
    with net.client.inside(), socket.create_connection((net.vip, 80), 5) as client:
        ours = client.getsockname()
        (entry,) = shown(net, "-L", "-c")["connections"]
        assert entry["client"] == {"address": ours[0], "port": ours[1]}
        assert entry["virtual"] == {"address": net.vip, "port": 80}
        assert (entry["state"], entry["template"], entry["server"]["port"]) == ("ESTABLISHED", False, 8080)
        assert 890 < entry["expires"] <= 900
        (server,) = shown(net, "-L", "-t", "10.9.0.100:80")["services"][0]["servers"]
    assert (server["weight"], server["active_connections"], server["counters"]["connections"]) == (3, 1, 1)
    assert shown(net, "-S")["services"][0]["servers"][0]["method"] == "masquerading"
    assert shown(net, "-G")["services"] == []
    assert shown(net, "-L", "--timeout")["timeouts"]["tcp"] == 900


def test_a_rehearsal_loads_nothing(bare: Routed) -> None:
    line = ["-A", "--dry-run", "-t", "10.9.0.100:80", "-s", "rr"]
    assert bare.director.ipvsadm(*line).checked().out.startswith("add service tcp 10.9.0.100:80: scheduler rr, ")
    with bare.director.inside():
        assert Director().instance() is None


def test_all_lines_or_none(net: Routed) -> None:
    net.director.ipvsadm("-R", stdin=TABLE).checked()
    before = net.director.ipvsadm("-S", "-n").checked().out
    done = net.director.ipvsadm("-R", "--atomic", stdin="-C\n\n--set 1 2 3\n-a -t 10.9.0.100:80 -r 10.0.1.11:8080 -m\n")
    assert (done.code, done.err) == (255, "line 4: Service not defined\n")
    assert net.director.ipvsadm("-S", "-n").checked().out == before
    assert net.director.ipvsadm("-L", "--timeout").checked().out == "Timeout (tcp tcpfin udp): 900 120 300\n"
