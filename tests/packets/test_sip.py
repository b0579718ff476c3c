# SPDX-License-Identifier: GPL-2.0-or-later
"""sip.h, caller.h: persistence by Call-ID. Which one a message has, what it decides, and how it is listed."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bpvs.model import Protocol, UnknownScheduler
from tests.packets.frames import Flow, Shape, difference
from tests.packets.listing import connection_of, traffic
from tests.packets.pieces import pieces
from tests.packets.rig import Action, Hook, Rig, loaded
from tests.packets.sticky import Sticky, sticky

pytestmark = pytest.mark.root

FAMILIES = pytest.mark.parametrize("is_ipv6", [False, True], ids=["IPv4", "IPv6"])
LONGEST, LOOKED_AT = 255, 4096
_LETTERS = {*string.ascii_letters, *map(chr, {*range(0xC0, 0x100)} - {0xD7, 0xF7})}
_WORDS = _LETTERS | {*string.digits, *"!\"%'()*+-./:<>?[\\]_`{}~"}


def served(rig: Rig, is_ipv6: bool = False, protocol: Protocol = Protocol.UDP, ops: bool = False) -> Sticky:
    """A service with engine sip; its servers are asked in the order 11, 12, 13."""
    return sticky(
        rig,
        Hook.TC,
        port=5060,
        protocol=protocol,
        is_ipv6=is_ipv6,
        persistence=60,
        engine="sip",
        servers_port=5060,
        ops=ops,
    )


def message(call_id: str, name: str = "Call-ID: ") -> bytes:
    """An OPTIONS request."""
    return f"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP host\r\n{name}{call_id}\r\nCSeq: 1 OPTIONS\r\n\r\n".encode(
        "latin-1"
    )


def calls(service: Sticky, client: int, call_id: str) -> int | None:
    """The server of a message from a port of the client's that is not yet in use."""
    return sends(service, client, message(call_id))


def sends(service: Sticky, client: int, payload: bytes) -> int | None:
    flow = service.flow(client)
    run = service.rig.run(Hook.TC, flow.request(Shape(payload=payload)))
    if not run.is_forwarded:
        assert (run.action, run.verdicts) == (Action.DROP, {"DROP_NO_CALL_ID": 1})
        assert connection_of(flow) is None
        return None
    return service.server_of(flow)


def listed(service: Sticky) -> set[tuple[str, str, str]]:
    """Client, server and Call-ID of each template."""
    assert {one.engine for one in service.templates()} <= {"sip"}
    return {(str(one.client), str(one.server), one.engine_data) for one in service.templates()}


@FAMILIES
def test_the_recorded_calls(rig: Rig, is_ipv6: bool) -> None:
    """Two calls of a client may use two servers; another client's is another call by whatever Call-ID."""
    service = served(rig, is_ipv6)
    sent = ((2, "abc@host1"), (2, "def@host2"), (2, "abc@host1"), (3, "abc@host1"))
    assert [calls(service, *one) for one in sent] == [11, 12, 11, 13]
    assert sends(service, 3, b"OPTIONS sip:a@b SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n") is None
    assert sorted(one.engine_data for one in service.templates()) == ["abc@host1", "abc@host1", "def@host2"]
    for one in service.templates():
        assert (one.client_port, one.virtual, one.virtual_port, one.server_port) == (0, service.address, 5060, 5060)
        assert 58 < one.expires <= 60
    assert [service.counts(number) for number in (11, 12, 13)] == [(1, 0, 2), (1, 0, 1), (1, 0, 1)]


def test_one_packet_scheduling_keeps_the_templates(rig: Rig) -> None:
    service = served(rig, ops=True)
    for call_id, number in (("xyz@host1", 11), ("uvw@host2", 12), ("xyz@host1", 11)):
        frame = service.flow(1).request(Shape(payload=message(call_id)))
        run = rig.run(Hook.TC, frame)
        assert run.frame[30:34] == service.server(number).address.packed
    assert {one.state for one in service.templates()} == {"NONE"}
    assert {one.engine_data for one in service.templates()} == {"xyz@host1", "uvw@host2"}


def test_what_is_no_datagram_is_dropped(rig: Rig) -> None:
    """As any TCP packet of such a service."""
    service = served(rig, protocol=Protocol.TCP)
    assert sends(service, 1, message("abc@host")) is None


def test_xdp_leaves_it_to_tc(rig: Rig) -> None:
    service = served(rig)
    frame = service.flow(1).request(Shape(payload=message("abc@host")))
    run = rig.run(Hook.XDP, frame)
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_TO_TC": 1}, frame)


def test_packets_of_known_connections_are_not_read(rig: Rig) -> None:
    service = served(rig)
    flow = service.flow(1)
    for payload in (message("abc@host"), message("other@host"), b"keep-alive"):
        for hook in (Hook.TC, Hook.XDP):
            run = rig.run(hook, flow.request(Shape(payload=payload)))
            assert run.is_forwarded or (hook, run.verdicts) == (Hook.XDP, {"PASS_TO_TC": 1})
    assert listed(service) == {("10.9.0.1", "10.2.0.11", "abc@host")}


def test_what_ends_is_forgotten(rig: Rig) -> None:
    """A Call-ID goes with its template, and the row is anybody's then."""
    service, instance = served(rig), loaded()
    others = set(instance.call_ids)
    for call_id in ("a@b", "c@d", "a@b"):
        flow = service.flow(1)
        rig.run(Hook.TC, flow.request(Shape(payload=message(call_id))))
        service.end(flow)
    assert len(listed(service)) == 2
    service.age(61)
    service.wait_without_templates()
    assert set(instance.call_ids) <= others
    plain = sticky(rig, Hook.TC, protocol=Protocol.UDP)
    plain.ask(1)
    assert [(one.engine, one.engine_data) for one in plain.templates()] == [("", "")]


def test_a_removed_server_loses_its_calls(rig: Rig) -> None:
    service = served(rig)
    assert calls(service, 1, "a@b") == 11
    with rig.change() as table:
        table.delete_server(service.key, service.server(11).address, 5060)
    assert [calls(service, 1, "a@b") for _ in range(2)] == [12, 12]
    assert {(one.virtual_port, one.engine_data) for one in service.templates()} == {(65535, "a@b"), (5060, "a@b")}


def test_the_call_id_stands_in_the_first_fragment(rig: Rig) -> None:
    service = served(rig)
    flow = service.flow(1)
    shape = Shape(payload=message("a@b") + bytes(1000))
    for piece in pieces(flow.request(shape), 400, rig.port()):
        assert rig.run(Hook.TC, piece).is_forwarded
    assert {one.engine_data for one in service.templates()} == {"a@b"}


def from_server(service: Sticky, number: int, client: int) -> Flow:
    """As if that client had asked that server."""
    flow = service.flow(client)
    server = service.server(number)
    return replace(flow, path=replace(flow.path, server=str(server.address), server_port=server.port))


@FAMILIES
@pytest.mark.parametrize("hook", Hook)
def test_a_servers_own_message_begins_a_call(rig: Rig, hook: Hook, is_ipv6: bool) -> None:
    """It leaves as the virtual service, and the client's answer, and next message, go to that server."""
    service = served(rig, is_ipv6)
    flow = from_server(service, 13, 5)
    call = Shape(payload=message("zzz@server"))
    run = rig.run(hook, flow.reply(call), "back")
    if hook is Hook.XDP:
        assert (run.action, run.verdicts) == (Action.PASS, {"PASS_NO_SERVICE": 1})
        return
    assert (run.action, run.verdicts) == (Action.REDIRECT, {})
    assert not difference(run.frame, flow.to_client(call))
    assert [(one.engine_data, one.state) for one in service.templates()] == [("zzz@server", "ASSURED")]
    answer = Shape(payload=b"SIP/2.0 200 OK\r\n")
    assert not difference(rig.run(hook, flow.request(answer)).frame, flow.to_server(answer))
    assert calls(service, 5, "zzz@server") == 13
    assert service.counts(13) == (1, 0, 2)
    assert traffic(flow.path)[:3] == (2, 2, 1)


def test_a_server_takes_a_call_over(rig: Rig) -> None:
    service = served(rig)
    assert calls(service, 1, "a@b") == 11
    flow = from_server(service, 12, 1)
    assert rig.run(Hook.TC, flow.reply(Shape(payload=message("a@b"))), "back").is_forwarded
    assert calls(service, 1, "a@b") == 12
    shown = {(str(one.server), one.virtual_port) for one in service.templates()}
    assert shown == {("10.2.0.11", 65535), ("10.2.0.12", 5060)}


def test_one_packet_scheduling_lets_replies_with_a_call_id_leave_as_the_service(rig: Rig) -> None:
    service = served(rig, ops=True)
    flow = from_server(service, 11, 1)
    asked = Shape(payload=message("a@b"))
    assert not difference(rig.run(Hook.TC, flow.request(asked)).frame, flow.to_server(asked))
    for _ in range(2):
        assert not difference(rig.run(Hook.TC, flow.reply(asked), "back").frame, flow.to_client(asked))
    assert connection_of(flow) is None
    assert [(one.engine_data, one.state) for one in service.templates()] == [("a@b", "ASSURED")]
    assert service.counts(11) == (1, 0, 0)


NO_CALLS = {
    "no Call-ID": (11, message("a@b", "X: "), None),
    "another port": (11, message("a@b"), 5061),
    "no server": (14, message("a@b"), None),
}


@pytest.mark.parametrize(("number", "payload", "port"), NO_CALLS.values(), ids=NO_CALLS)
def test_what_begins_no_call_passes(rig: Rig, number: int, payload: bytes, port: int | None) -> None:
    service = served(rig)
    flow = from_server(service, number, 1)
    if port:
        flow = replace(flow, path=replace(flow.path, server_port=port))
    frame = flow.reply(Shape(payload=payload))
    run = rig.run(Hook.TC, frame, "back")
    assert (run.action, run.verdicts, run.frame) == (Action.PASS, {"PASS_NO_SERVICE": 1}, frame)
    assert service.templates() == []


def test_other_engines_are_not_found(rig: Rig) -> None:
    with pytest.raises(UnknownScheduler):
        sticky(rig, Hook.TC, engine="ftp")


TABLE = {
    "": (None, b""),
    "no line before it": (None, b"Call-ID: a@b\r\n"),
    "compact": ("a@b", b"\r\ni: a@b\r\n"),
    "compact, upper case": ("a@b", b"\r\nI:a@b\r\n"),
    "another header with i": ("a@b", b"\r\nidentity: x\r\ni: a@b\r\n"),
    "any case": ("a@b", b"\ncALL-id:a@b\n"),
    "blanks": ("a@b", b"\rCall-ID \t : \t a@b\r"),
    "no colon": (None, b"\r\nCall-ID a@b\r\nCall-ID: a@b\r\n"),
    "empty": (None, b"\r\nCall-ID:\r\nCall-ID: a@b\r\n"),
    "no word, then another": ("c@d", b"\r\nCall-ID: ,\r\nCall-ID: c@d\r\n"),
    "no domain, then another": ("c@d", b"\r\nCall-ID: a@\r\nCall-ID: c@d\r\n"),
    "two @": (None, b"\r\nCall-ID: a@b@c\r\n"),
    "CR in place of the hyphen": (None, b"\r\nCall\rID: a@b\r\n"),
    "one word": ("abc", b"\r\nCall-ID: abc\r\n"),
    "blank behind": (None, b"\r\nCall-ID: a@b \r\n"),
    "no end of line": (None, b"\r\nCall-ID: a@b"),
    "continuation of another": (None, b"\r\nVia: x\r\n Call-ID: a@b\r\n"),
    "the first of two": ("a@b", b"\r\nCall-ID: a@b\r\nCall-ID: c@d\r\n"),
    "signs": ("!\"%'()*+-./:<>?[\\]_`{}~", b"\r\nCall-ID: !\"%'()*+-./:<>?[\\]_`{}~\r\n"),
    "longest": (LONGEST * "x", b"\r\nCall-ID: " + LONGEST * b"x" + b"\r\n"),
    "too long": (None, b"\r\nCall-ID: " + (LONGEST + 1) * b"x" + b"\r\n"),
}


@pytest.mark.parametrize(("expected", "payload"), TABLE.values(), ids=TABLE)
def test_which_call_id(rig: Rig, expected: str | None, payload: bytes) -> None:
    service = served(rig)
    found = sends(service, 1, payload)
    assert {one.engine_data for one in service.templates()} == ({expected} if expected else set())
    assert found == (11 if expected else None)
    assert kernels(payload) == expected


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            ("\r\n", "\n", "\r", "Call-ID", "call-i", "i", "I", ":", " ", "\t", "a", "b@c", "@", "x", ",", "é")
        )
    )
)
@example(["\r\n", "call-i", "\r\n", "Call-ID", ":", "a", "\n"])
def test_any_message(rig: Rig, words: list[str]) -> None:
    """As a second writing of the kernel's finds it."""
    payload = "".join(("\r\n", *words)).encode("latin-1")
    service = served(rig)
    sends(service, 1, payload)
    expected = kernels(payload)
    assert {one.engine_data for one in service.templates()} == ({expected} if expected else set())


def kernels(payload: bytes) -> str | None:
    """ct_sip_get_header() of net/netfilter/nf_conntrack_sip.c, get_callid() of ip_vs_pe_sip.c; no folded lines."""
    text, at = payload.decode("latin-1"), 0
    while at < len(text):
        begin = _line_after(text, at)
        if begin is None:
            return None
        name = next((name for name in ("call-id", "i") if _names(text, begin, name)), None)
        if name is None:
            at = begin + 1
            continue
        colon = _skip(text, begin + len(name))
        if colon is None or text[colon] != ":":
            return None
        value = _skip(text, colon + 1)
        if value is None:
            return None
        length = _length(text, value)
        if not length:
            at = value
            continue
        end = value + length
        return text[value:end] if length <= LONGEST and text[end : end + 1] in ("\r", "\n") else None
    return None


def _line_after(text: str, at: int) -> int | None:
    """Where the next line that is no continuation begins."""
    while at < len(text):
        if text[at] in "\r\n":
            begin = at + (2 if text[at : at + 2] == "\r\n" else 1)
            if begin >= len(text):
                return None
            if text[begin] not in " \t":
                return begin
            at = begin
        at += 1
    return None


def _names(text: str, begin: int, name: str) -> bool:
    if text[begin : begin + len(name)].lower() != name:
        return False
    return len(name) > 1 or (begin + 1 < len(text) and text[begin + 1] not in _LETTERS)


def _skip(text: str, at: int) -> int | None:
    """Behind blanks; not beyond the line."""
    while at < len(text) and text[at] in " \t":
        at += 1
    return at if at < len(text) and text[at] not in "\r\n" else None


def _length(text: str, at: int) -> int:
    """Of word@word or a word; 0 for none."""
    word = _word(text, at)
    if not word or text[at + word : at + word + 1] != "@":
        return word
    domain = _word(text, at + word + 1)
    return word + 1 + domain if domain else 0


def _word(text: str, at: int) -> int:
    length = 0
    while at + length < len(text) and text[at + length] in _WORDS:
        length += 1
    return length
