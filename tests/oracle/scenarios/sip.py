# SPDX-License-Identifier: GPL-2.0-or-later
"""Persistence by the Call-ID of SIP; alone, for the real ipvsadm breaks off a listing of others at some Call-IDs."""

from __future__ import annotations

from tests.oracle import wire
from tests.oracle.flow import Flow
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import scenario

PORT = 5060
THREE = ("S1:5060 -m", "S2:5060 -m", "S3:5060 -m")


def message(call: str, name: str = "Call-ID") -> str:
    """A request; no Call-ID for an empty one."""
    header = f"{name}: {call}\r\n" if call else ""
    return f"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP client\r\n{header}CSeq: 1 OPTIONS\r\n\r\n"


def calls(play: Play, *plan: tuple[int, int, str]) -> list[Flow]:
    """Requests: client, port and Call-ID of each."""
    flows = []
    for client, port, call in plan:
        flow = Flow(play, client, port, PORT, kind="udp")
        play.say(f"c{client}:{port} {call or 'without'}: {flow.ask(message(call))}")
        flows.append(flow)
    return flows


def listings(play: Play) -> None:
    play.table("-L -n --persistent-conn")
    play.connections()
    play.connections("-L -n -c --persistent-conn")
    play.proc("ip_vs_conn")


@scenario("sip calls", alone=True)
def by_call(play: Play) -> None:
    play.service(f"-u V:{PORT}", "-s rr -p 60 --pe sip", THREE)
    flows = calls(
        play, (2, 40001, "abc@h"), (2, 40002, "def@h"), (2, 40003, "abc@h"), (3, 40004, "abc@h"), (3, 40005, "")
    )
    play.choices(flow.answer("SIP/2.0 200 OK\r\n\r\n") for flow in flows)
    listings(play)
    play.stats()


@scenario("sip messages", alone=True)
def forms(play: Play) -> None:
    play.service(f"-u V:{PORT}", "-s rr -p 60 --pe sip", THREE)
    texts = {
        "another case": message("abc", "CALL-ID"),
        "short form": message("abc", "i"),
        "no blank": "OPTIONS sip:a SIP/2.0\r\nCall-ID:abc\r\n\r\n",
        "no end": "OPTIONS sip:a SIP/2.0\r\nCall-ID: abc",
        "line feed": "OPTIONS sip:a SIP/2.0\nCall-ID: abc\n\n",
        "100 letters": message("x" * 100),
        "256 letters": message("x" * 256),
        "two": "OPTIONS sip:a SIP/2.0\r\nCall-ID: one\r\nCall-ID: two\r\n\r\n",
        "empty": "OPTIONS sip:a SIP/2.0\r\nCall-ID: \r\n\r\n",
        "nothing": "",
        "an answer": "SIP/2.0 200 OK\r\nCall-ID: abc\r\n\r\n",
        "no SIP": "Call-ID: abc\r\n\r\n",
    }
    for at, (name, text) in enumerate(texts.items()):
        play.say(f"{name}: {Flow(play, 2, 40000 + at, PORT, kind='udp').ask(text)}")
    play.connections("-L -n -c --persistent-conn")


@scenario("sip one packet", alone=True)
def once(play: Play) -> None:
    play.service(f"-u V:{PORT}", "-s rr -p 60 --pe sip -o", THREE)
    flows = calls(play, (2, 40011, "xyz@h"), (2, 40011, "uvw@h"), (2, 40011, "xyz@h"))
    play.note("a reply with the Call-ID comes from the virtual address")
    play.choices([flows[0].answer(message("xyz@h")), flows[1].answer("SIP/2.0 200 OK\r\n\r\n")])
    listings(play)
    play.stats()


@scenario("sip servers begin", alone=True)
def begin(play: Play) -> None:
    play.service(f"-u V:{PORT}", "-s rr -p 60 --pe sip", THREE)
    source, target = play.server(1), play.client(5)
    for call in ("zzz@server", ""):
        body = wire.udp(source, target, (PORT, 7000), message(call).encode())
        play.say(play.told(play.from_server(1, wire.ip(source, target, wire.UDP, body))))
    listings(play)
    play.note("the client answers")
    calls(play, (5, 7000, "zzz@server"), (5, 7001, "zzz@server"))
    listings(play)


@scenario("sip and TCP", alone=True)
def tcp(play: Play) -> None:
    play.vs(f"-A -t V:{PORT} -s rr -p 60 --pe sip")
    play.set_up(f"-a -t V:{PORT} -r S1:{PORT} -m")
    play.choices([Flow(play, 2, 40000, PORT).ask("S")])
    play.table()
