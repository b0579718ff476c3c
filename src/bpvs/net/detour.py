# SPDX-License-Identifier: GPL-2.0-or-later
"""The detour: how packets that netfilter marks in PREROUTING come to the data path, which looks at packets before that.

    rules    1  iif lo                 go on at 2      the director's own, which pass the data path on lo
             1  iif bpvs-n             go on at 2      what the data path has looked at and does not forward
             1  fwmark N               look up TABLE   for each mark of a service
             2                         look up local   moved here from preference 0, or an address of the director
                                                       would never leave by TABLE
    TABLE    default dev bpvs-m
    veth     bpvs-m ----------------> bpvs-n, where the data path meets the packet again, mark and all

All of it is known by itself: the pair by its MAC address, rules and routes by their protocol or place. So what a killed
command left is found by the next, and a namespace is as before when it is removed.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Collection, Iterable

from bpvs.model import Address, Family
from bpvs.net import sysctl
from bpvs.net.assigned import add_quietly
from bpvs.net.links import DETOUR_MAC, Link, links
from bpvs.net.netlink import NLM_F_CREATE, NLM_F_REPLACE, RouteSocket, attribute
from bpvs.net.rules import KERNEL, LOCAL_TABLE, PROTOCOL, Rule, Rules
from bpvs.net.veth import End, Pair, PairError

OUT = "bpvs-m"
IN = "bpvs-n"
TABLE = 0x42505653  # "BPVS"
# Both ends have one address, so that a frame sent out of one is for the other.
_PAIR = Pair((End(OUT, DETOUR_MAC), End(IN, DETOUR_MAC)), "BPVS detour of marked packets")

_BEFORE, _AFTER = 1, 2
_KERNELS_LOCAL = Rule(0, LOCAL_TABLE, protocol=KERNEL)
# With the kernel's protocol, for networkd removes rules of others when it starts: without this one the host is lost.
_OUR_LOCAL = Rule(_AFTER, LOCAL_TABLE, protocol=KERNEL)
_PLACE = Rule(_AFTER)  # where somebody has the local table elsewhere, only something to go to
_PASSING = (Rule(_BEFORE, goto=_AFTER, iif="lo"), Rule(_BEFORE, goto=_AFTER, iif=IN))

# What comes in by bpvs-n came in elsewhere first and was looked at there: no source address is wrong here. Where others
# ask for source checks, the kernel lets none pass an interface that has no address at all.
_SETTINGS = {"rp_filter": 2, "accept_local": 1, "forwarding": 1}
_ADDRESS = Address.parse("127.66.86.83")

_RTM_NEWROUTE = 24
_RTMSG = struct.Struct("=BBBBBBBBI")
_RTA_OIF, _RTA_GATEWAY, _RTA_TABLE = 4, 5, 15
_RT_SCOPE_UNIVERSE, _RTN_UNICAST, _RTNH_F_ONLINK = 0, 1, 4
# One neighbour for all destinations, whom nobody asks for: the IPv4 dummy address (RFC 7600), and a link-local one.
_GATEWAYS = {Family.IPV4: bytes([192, 0, 0, 8]), Family.IPV6: b"\xfe\x80" + bytes(13) + b"\x08"}


def find(all_links: Iterable[Link]) -> tuple[int, int] | None:
    """The indexes of bpvs-m and bpvs-n, if they are there, joined and up."""
    ends = _PAIR.find(all_links)
    return (ends[0].index, ends[1].index) if ends is not None and ends[0].is_up and ends[1].is_up else None


def build() -> tuple[int, int]:
    """Build the pair, or repair what is left of it, and tell the indexes of bpvs-m and bpvs-n; PairError.

    No packet takes it before lead().
    """
    with RouteSocket() as route:
        out, back = _PAIR.ensure(route)
        try:
            for index in (out, back):
                _PAIR.silence(route, index)
            for name, value in _SETTINGS.items():
                sysctl.write(f"net.ipv4.conf.{IN}.{name}", value)
            _give_address(back)
            _PAIR.start(route, (out, back))
        except OSError as error:
            raise PairError(f"{OUT} and {IN} cannot be set up: {error.strerror}") from error
    return out, back


def lead(family: Family, marks: Collection[int], out: int) -> None:
    """Lead packets with these marks, and no others, out of `out`, the index of bpvs-m; PairError.

    The local table is looked up at every moment between.
    """
    try:
        if not marks:
            _leave(family)
            return
        with RouteSocket() as route:
            route.change(_RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, _route(family, out))
        with Rules(family) as rules:
            present = rules.read()
            moves = any(_is_kernels_local(rule) for rule in present) or _OUR_LOCAL in present
            rules.add(_OUR_LOCAL if moves else _PLACE)
            wanted = _leading(marks)
            for rule in sorted(wanted - set(present), key=_marked_last):
                rules.add(rule)
            for rule in _ours(present) - wanted - {_OUR_LOCAL, _PLACE}:
                rules.remove(rule)
            for rule in filter(_is_kernels_local, present):
                rules.remove(rule)
    except OSError as error:
        raise PairError(f"policy routing cannot be set up: {error.strerror}") from error


def is_led(family: Family, marks: Collection[int]) -> bool:
    """Whether the rules are those that lead() makes for these marks; PairError."""
    try:
        with Rules(family) as rules:
            present = _present(rules)
    except OSError as error:
        raise PairError(f"policy routing cannot be read: {error.strerror}") from error
    wanted = _leading(marks) if marks else set()
    ours = _ours(present)
    place = ours & {_OUR_LOCAL, _PLACE}
    return (
        ours - place == wanted and bool(place) == bool(marks) and not (marks and any(map(_is_kernels_local, present)))
    )


def remove() -> None:
    """Remove rules, routes and interfaces; the local table gets its place back."""
    for family in Family:
        _leave(family)
    with RouteSocket() as route:
        _PAIR.remove(route, links())


def _give_address(index: int) -> None:
    try:
        add_quietly(_ADDRESS, index)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise


def _leave(family: Family) -> None:
    with Rules(family) as rules:
        ours = _ours(_present(rules))
        if _OUR_LOCAL in ours:
            rules.add(_KERNELS_LOCAL)
        for rule in sorted(ours, key=_marked_last, reverse=True):
            rules.remove(rule)


def _leading(marks: Collection[int]) -> set[Rule]:
    return {*_PASSING, *(Rule(_BEFORE, TABLE, mark=mark) for mark in marks)}


def _present(rules: Rules) -> list[Rule]:
    """The rules; none where the kernel has not the family, or no rules of it."""
    try:
        return rules.read()
    except OSError as error:
        if error.errno not in (errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
            raise
        return []


def _ours(present: Iterable[Rule]) -> set[Rule]:
    return {rule for rule in present if rule.protocol == PROTOCOL or rule == _OUR_LOCAL}


def _is_kernels_local(rule: Rule) -> bool:
    return rule == _KERNELS_LOCAL


def _marked_last(rule: Rule) -> tuple[bool, bool]:
    """The order to make rules in: a marked packet must find those that let it pass."""
    return rule.mark != 0, rule.preference == _BEFORE


def _route(family: Family, out: int) -> bytes:
    flags = _RTNH_F_ONLINK if family is Family.IPV4 else 0
    head = _RTMSG.pack(int(family), 0, 0, 0, 0, PROTOCOL, _RT_SCOPE_UNIVERSE, _RTN_UNICAST, flags)
    return (
        head
        + attribute(_RTA_GATEWAY, _GATEWAYS[family])
        + attribute(_RTA_OIF, struct.pack("=I", out))
        + attribute(_RTA_TABLE, struct.pack("=I", TABLE))
    )
