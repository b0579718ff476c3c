# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of captured packets: which are shown, and that its columns stand below each other."""

from __future__ import annotations

from bpvs.cli.hops import chosen, table
from bpvs.cli.style import Style
from bpvs.lab.capture import Sighting
from bpvs.lab.headers import Frame, Packet

A, B = bytes.fromhex("020000000a01"), bytes.fromhex("020000000b02")
NAMES = {A: "client", B: "director"}
SYN = Packet("10.9.0.2", "10.0.1.100", 64, "SYN", 40000, 80)
WRAPPED = Packet("10.0.1.2", "10.0.2.11", 63, "IPIP", inner=SYN)


def sighting(place: str, packet: Packet) -> Sighting:
    return Sighting(0, place, Frame(A, B, packet))


def test_each_flag_is_shown_once_a_place() -> None:
    seen = [
        sighting("client out", SYN),
        sighting("director in", SYN),
        sighting("director in", SYN),
        sighting("director out", WRAPPED),
        sighting("director out", Packet("10.9.0.2", "10.0.1.100", 64, "FIN ACK", 40000, 80)),
    ]
    assert chosen(seen, "10.9.0.2", ["SYN"]) == [seen[0], seen[1], seen[3]]


def test_what_others_said_before_is_left_out() -> None:
    other = sighting("director in", Packet("10.7.0.7", "10.0.1.100", 64, "SYN", 1, 80))
    ours = sighting("client out", SYN)
    assert chosen([other, ours], "10.9.0.2", ["SYN"]) == [ours]


def test_columns_stand_below_each_other_and_inner_packets_below_outer_ones() -> None:
    seen = [sighting("client out", SYN), sighting("director out", WRAPPED)]
    assert table(seen, NAMES, Style(colour=False, unicode=False)) == (
        " seen at        frame                           packet                                   TTL\n"
        " client    out  client 0a:01 -> director 0b:02  10.9.0.2:40000 -> 10.0.1.100:80    SYN   64\n"
        " director  out  client 0a:01 -> director 0b:02  10.0.1.2 -> 10.0.2.11              IPIP  63\n"
        "                                                + 10.9.0.2:40000 -> 10.0.1.100:80  SYN   64\n"
    )


def test_the_client_s_address_stands_below_the_packet_that_tells_it() -> None:
    seen = [sighting("director out", Packet("10.0.1.201", "10.0.2.11", 62, "ACK", 1024, 80, None, "10.9.0.2:40000"))]
    assert table(seen, NAMES, Style(colour=False, unicode=False)).splitlines()[1:] == [
        " director  out  client 0a:01 -> director 0b:02  10.0.1.201:1024 -> 10.0.2.11:80  ACK  62",
        "                                                + TOA 10.9.0.2:40000",
    ]


def test_only_what_changed_stands_out() -> None:
    shown = table([sighting("client out", SYN), sighting("director in", SYN)], NAMES, Style(colour=True, unicode=True))
    assert "\x1b[33m" not in shown
    shown = table([sighting("client out", SYN), sighting("director out", WRAPPED)], NAMES, Style(True, True))
    assert shown.count("\x1b[33m") == 3
