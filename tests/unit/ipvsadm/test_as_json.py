# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import copy
import io
import json
import shlex
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from bpvs.ipvsadm.run import run
from bpvs.model import (
    Address,
    Connection,
    Counters,
    LocalStatus,
    Protocol,
    Rates,
    ServerStatus,
    ServiceKey,
    ServiceStatus,
    Timeouts,
)
from bpvs.testing import MemoryDirector
from bpvs.text.names import Resolver

SCHEMA = json.loads(files("bpvs.ipvsadm").joinpath("schema.json").read_text())
BASES = {"key", "settings", "server_settings"}  # of which other objects are made
TABLE = """\
-A -t 10.0.0.1:80 -s sh -b sh-port,flag-3 -p 300 -M 255.255.255.0
-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -m -w 3 -x 100 -y 50
-a -t 10.0.0.1:80 -r [2001:db8::2]:80 -i --tun-type gue --tun-port 6080 --tun-csum
-A -t [2001:db8::1]:443 -j enable
-a -t [2001:db8::1]:443 -r 10.0.0.9:443 -b
-P -t [2001:db8::1]:443 -z 10.0.1.9
-A -u 10.0.0.1:53 -s rr -o
-A --sctp-service 10.0.0.1:3868
-A -f 4294967295 -6 -s none -p 60 --pe sip
-a -f 4294967295 -6 -r [2001:db8::7]:0 -w 0
"""
HUGE = 2**64 - 1
VIP, SERVER = Address.parse("10.0.0.1"), Address.parse("10.0.0.2")
WEB = ServiceKey.at(Protocol.TCP, VIP, 80)
SIX = ServiceKey.at(Protocol.TCP, Address.parse("2001:db8::1"), 443)
FIGURES = Counters(1, 2, 3, HUGE, 123_456_789_012)
ENTRIES = [
    Connection(Protocol.TCP, Address.parse("192.0.2.9"), 40000, VIP, 80, SERVER, 8080, "NONE", 1.5),
    Connection(
        *(None, Address.parse("192.0.2.0"), 0, Address.parse("0.0.0.7"), 0, SERVER, 0),
        *("ASSURED", 44640 * 60, "sip", "a84b4c76e66710@pc33", True, 7),
    ),
]


def director() -> MemoryDirector:
    made = MemoryDirector()
    assert call(made, "-R", TABLE) == ""
    server = ServerStatus(5, 6, 7, FIGURES, Rates(1, 2, 3, 4, 5), is_local=True)
    made.statuses = {
        WEB: ServiceStatus(FIGURES, Rates(9), {(SERVER, 8080): server}),
        SIX: ServiceStatus(locals={Address.parse("10.0.1.9"): LocalStatus(11, 12)}),
    }
    made.entries = ENTRIES
    made.limits = Timeouts(1, 2, 3)
    return made


def call(target: MemoryDirector, line: str, stdin: str = "") -> str:
    stdout, stderr = io.StringIO(), io.StringIO()
    code = run(shlex.split(line), "ipvsadm", io.StringIO(stdin), stdout, stderr, lambda: target, Resolver())
    assert (code, stderr.getvalue()) == (0, "")
    return stdout.getvalue()


def strict() -> dict[str, Any]:
    """The schema, for which a field that it does not describe is an error too."""
    schema: dict[str, Any] = copy.deepcopy(SCHEMA)
    for one in schema["oneOf"] + [part for name, part in schema["$defs"].items() if name not in BASES]:
        one["unevaluatedProperties"] = False
    # As the items of a saved service, the settings are all that there is.
    items = schema["$defs"]["saved_service"]["properties"]["servers"]["items"]
    schema["$defs"]["saved_service"]["properties"]["servers"]["items"] = {**items, "unevaluatedProperties": False}
    return schema


VALIDATOR = jsonschema.Draft202012Validator(strict())
LISTINGS = {
    "-L": "services",
    "-L -n --stats": "services",
    "-L --rate --exact": "services",
    "-L --thresholds --nosort": "services",
    "-L --persistent-conn": "services",
    "-L --tun-info": "services",
    "-L -t 10.0.0.1:80": "services",
    "-L -f 4294967295 -6": "services",
    "-L -c": "connections",
    "-L -c -n --persistent-conn": "connections",
    "-L --timeout": "timeouts",
    "-L --daemon": "daemons",
    "-S": "saved",
    "-S -n": "saved",
    "-G": "local-addresses",
    "-G -t 10.0.0.1:80": "local-addresses",
}


def shown(line: str) -> Any:
    return json.loads(call(director(), f"{line} --json"))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(("line", "name"), LISTINGS.items())
def test_every_listing_follows_the_schema(line: str, name: str) -> None:
    document = shown(line)
    VALIDATOR.validate(document)
    assert (document["schema_version"], document["listing"]) == (1, name)


@pytest.mark.parametrize("line", ["-L", "-L -c", "-S", "-G"])
def test_an_empty_table_follows_it_too(line: str) -> None:
    document = json.loads(call(MemoryDirector(), f"{line} --json"))
    VALIDATOR.validate(document)
    assert document["connections" if line == "-L -c" else "services"] == []


def test_the_schema_refuses_what_it_does_not_know() -> None:
    document = shown("-L")
    del document["services"][0]["servers"][0]["weight"]
    assert not VALIDATOR.is_valid(document)
    document = shown("-L")
    document["services"][0]["servers"][0]["wait"] = 1
    assert not VALIDATOR.is_valid(document)


def test_one_service_a_line() -> None:
    lines = call(director(), "-L --json").splitlines()
    assert lines[0] == '{"schema_version": 1, "listing": "services", "services": ['
    assert [json.loads(line.rstrip(","))["port"] for line in lines[1:-1]] == [None, 80, 53, 3868, 443]
    assert lines[-1] == "]}"


def test_numbers_are_whole_and_all_settings_there() -> None:
    (web,) = shown("-L -t 10.0.0.1:80")["services"]
    assert list(web["counters"].values()) == [1, 2, 3, HUGE, 123_456_789_012]
    assert (web["rates"]["connections"], web["persistent"], web["netmask"]) == (9, 300, "255.255.255.0")
    assert web["scheduler_flags"] == ["sh-port", "flag-3"]
    nat, tunnel = web["servers"]
    assert (nat["method"], nat["tunnel"], nat["is_local"]) == ("masquerading", None, True)
    assert (nat["upper_threshold"], nat["lower_threshold"]) == (100, 50)
    assert [nat[f"{kind}_connections"] for kind in ("active", "inactive", "persistent")] == [5, 6, 7]
    assert tunnel["tunnel"] == {"type": "gue", "port": 6080, "checksum": "full"}
    (mark,) = shown("-L -f 4294967295 -6")["services"]
    assert (mark["fwmark"], mark["family"], mark["address"], mark["port"]) == (HUGE >> 32, "ipv6", None, None)
    assert (mark["engine"], mark["netmask"], mark["servers"][0]["port"]) == ("sip", "128", 0)


def test_connections_and_templates() -> None:
    one, template = shown("-L -c")["connections"]
    assert one["client"] == {"address": "192.0.2.9", "port": 40000}
    assert (one["expires"], one["template"], one["engine"], one["fwmark"]) == (1.5, False, None, None)
    assert (template["protocol"], template["fwmark"], template["template"]) == (None, 7, True)
    assert (template["state"], template["engine"], template["engine_data"]) == ("ASSURED", "sip", "a84b4c76e66710@pc33")


def test_local_addresses_and_timeouts() -> None:
    (six,) = shown("-G")["services"]
    assert six["local_addresses"] == [{"address": "10.0.1.9", "ports_in_use": 11, "exhausted": 12}]
    assert [one["local_addresses"] for one in shown("-G -t 10.0.0.1:80")["services"]] == [[]]
    assert shown("-L --timeout")["timeouts"] == {"tcp": 1, "tcp_fin": 2, "udp": 3}


def test_what_is_saved_has_the_settings() -> None:
    out = call(director(), "-R", "--sysctl vs.drop_packet=3\n-S --json\n")
    sysctls = json.loads(out)["sysctls"]
    assert (sysctls["drop_packet"], sysctls["conn_reuse_mode"]) == (3, 1)


def test_inside_a_restore_it_shows_what_is_pending() -> None:
    out = call(MemoryDirector(), "-R", "-A -t 10.0.0.1:80 -s rr\n--set 5 0 0\n-S --json\n-L --timeout --json\n")
    saved, end, timeouts = out.partition("\n]}\n")
    assert [one["port"] for one in json.loads(saved + end)["services"]] == [80]
    assert json.loads(timeouts)["timeouts"] == {"tcp": 5, "tcp_fin": 120, "udp": 300}


@pytest.mark.parametrize("line", ["-A -t 10.0.0.1:80", "-C", "-Z", "-R", "--set 1 2 3"])
def test_only_listings_have_it(line: str) -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    words = shlex.split(f"{line} --json")
    assert run(words, "ipvsadm", io.StringIO(), stdout, stderr, MemoryDirector, Resolver()) == 2
    assert stderr.getvalue().startswith("Illegal 'json' option with the '")
