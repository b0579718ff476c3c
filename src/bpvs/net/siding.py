# SPDX-License-Identifier: GPL-2.0-or-later
"""The siding: a veth pair of BPVS's own in this network namespace, for what a BPF program cannot do with a packet.

    sent out of bpvs-a --- checksums finished, merged packets cut ---> comes in at bpvs-b, at once
    sent out of bpvs-b --- one packet a millisecond (tbf) -----------> comes in at bpvs-a, later

The pair has no address, joins no group and speaks to nobody. It is known by the MAC addresses of its ends.
"""

from __future__ import annotations

import errno
import os
import struct
import time
from collections.abc import Iterable

from bpvs.model.value import dataclass
from bpvs.net import ethtool, namespace
from bpvs.net.links import IFF_UP, RTM_GETLINK, SIDING_MACS, Link, links
from bpvs.net.netlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, RouteSocket, attribute, attributes, number

DONE = "bpvs-a"
WAIT = "bpvs-b"
MTU = 65535  # the most that veth takes
_MTU_WITHOUT_IPV6 = 1279  # RFC 8200, section 5

# A packet costs at least `mpu` bytes, which is what one millisecond brings: so each costs the same, up to 64 KiB. The
# bucket holds one packet and the headers that a merged one is charged for each of its parts.
_MPU = 65535
_RATE = 1000 * _MPU
_BURST_BYTES = 70000
_LIMIT_BYTES = 1_000_000

_RTM_NEWLINK, _RTM_DELLINK, _RTM_SETLINK, _RTM_DELROUTE, _RTM_NEWQDISC = 16, 17, 19, 25, 36
_IFF_NOARP, _IFF_MULTICAST = 0x80, 0x1000
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_OPERSTATE, _IFLA_LINKINFO, _IFLA_IFALIAS = 1, 3, 4, 16, 18, 20
_IFLA_AF_SPEC, _IFLA_NUM_TX_QUEUES, _IFLA_NUM_RX_QUEUES = 26, 31, 32
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_AF_INET6, _IFLA_INET6_ADDR_GEN_MODE, _ADDR_GEN_MODE_NONE = 10, 8, 1
_IF_OPER_UP = 6
_IFINFOMSG = struct.Struct("=BxHiII")
_TCMSG = struct.Struct("=BxxxiIII")
_TC_H_ROOT, _TCA_KIND, _TCA_OPTIONS, _TCA_TBF_PARMS, _TCA_TBF_BURST = 0xFFFFFFFF, 1, 2, 1, 6
_RATESPEC = struct.Struct("=BBHhHI")  # cell_log, linklayer, overhead, cell_align, mpu, rate in bytes a second
_LINKLAYER_ETHERNET = 1
_RTMSG = struct.Struct("=BBBBBBBBI")
_RTA_DST, _RTA_OIF, _RT_TABLE_LOCAL, _RTN_MULTICAST = 1, 4, 255, 5

_CARRIER_S = 5.0
_PAUSE_S = 0.0005


class SidingError(Exception):
    """The siding cannot be built; the text says why, as half a sentence."""


@dataclass(frozen=True, slots=True)
class Siding:
    """The interfaces to send out of, by index: `done` for packets to come back finished, `wait` for later.

    Without `has_queue`, for want of tbf, they would come back from `wait` at once.
    """

    done: int
    wait: int
    has_queue: bool


def find(all_links: Iterable[Link]) -> Siding | None:
    """The siding, if both ends are there, joined and up."""
    ends = _ends(all_links)
    if ends is None or not (ends[0].is_up and ends[1].is_up):
        return None
    return Siding(ends[0].index, ends[1].index, ends[1].qdisc == "tbf")


def build() -> Siding:
    """Build it, or repair what is left of it; SidingError. Without tbf it stands nevertheless."""
    with RouteSocket() as route:
        done, wait = _pair(route)
        try:
            ethtool.switch_off(DONE, _leaves_work)
            for index in (done, wait):
                _silence(route, index)
            has_queue = _queue(route, wait)
            for index in (done, wait):
                _raise(route, index)
            for index in (done, wait):
                _await_carrier(route, index)
                _drop_multicast_route(route, index)
        except OSError as error:
            raise SidingError(f"{DONE} and {WAIT} cannot be set up: {error.strerror}") from error
    return Siding(done, wait, has_queue)


def obstacle() -> str:
    """Why it cannot be built here, as half a sentence; "" if it can. Tried out in a namespace made for that.

    OSError without the right to make one.
    """
    import threading  # the path of ipvsadm does without

    try:
        _refuse_strangers(links())
    except SidingError as error:
        return str(error)
    found: list[str | OSError] = []
    trial = threading.Thread(target=_try, args=(found,))
    trial.start()
    trial.join()
    if isinstance(found[0], OSError):
        raise found[0]
    return found[0]


def _try(found: list[str | OSError]) -> None:
    """The thread takes its namespace, with all that is in it, along when it ends."""
    try:
        namespace.leave()
        found.append("" if build().has_queue else "this kernel has no tbf")
    except SidingError as error:
        found.append(str(error))
    except OSError as error:
        found.append(error)


def remove() -> None:
    """Remove every end that is there, under whatever name."""
    with RouteSocket() as route:
        for link in links():
            if link.is_siding:
                _delete(route, link.index)


def _ends(all_links: Iterable[Link]) -> tuple[Link, Link] | None:
    by_name = {link.name: link for link in all_links if link.name in (DONE, WAIT) and link.is_siding}
    if len(by_name) < 2 or by_name[DONE].lower != by_name[WAIT].index:
        return None
    return by_name[DONE], by_name[WAIT]


def _pair(route: RouteSocket) -> tuple[int, int]:
    """The indexes of both ends, made if they are not there."""
    present = links()
    ends = _ends(present)
    if ends is None:
        _refuse_strangers(present)
        for link in present:
            if link.is_siding:
                _delete(route, link.index)
        _create(route)
        ends = _ends(links())
    if ends is None:
        raise SidingError(f"{DONE} and {WAIT} were removed while they were set up")
    return ends[0].index, ends[1].index


def _refuse_strangers(present: Iterable[Link]) -> None:
    for link in present:
        if link.name in (DONE, WAIT) and not link.is_siding:
            raise SidingError(f"there is an interface {link.name} that is not of BPVS")


def _create(route: RouteSocket) -> None:
    peer = attribute(_VETH_INFO_PEER, _end(WAIT, SIDING_MACS[1]))
    kind = attribute(_IFLA_INFO_KIND, b"veth") + attribute(_IFLA_INFO_DATA, peer)
    request = _end(DONE, SIDING_MACS[0]) + attribute(_IFLA_LINKINFO, kind)
    try:
        route.change(_RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, request)
    except OSError as error:
        lacks = error.errno == errno.EOPNOTSUPP
        raise SidingError("this kernel has no veth" if lacks else f"no veth pair: {error.strerror}") from error


def _end(name: str, mac: bytes) -> bytes:
    """One end's part of the request.

    Its MTU keeps IPv6 away from it until it is no longer one for multicasts: on a router IPv6 would join the group of
    routers and report that.
    """
    head = _IFINFOMSG.pack(0, 0, 0, _IFF_NOARP, _IFF_NOARP | _IFF_MULTICAST)
    one = struct.pack("=I", 1)
    queues = attribute(_IFLA_NUM_TX_QUEUES, one) + attribute(_IFLA_NUM_RX_QUEUES, one)
    mtu = attribute(_IFLA_MTU, struct.pack("=I", _MTU_WITHOUT_IPV6))
    return head + attribute(_IFLA_IFNAME, name.encode() + b"\0") + attribute(_IFLA_ADDRESS, mac) + mtu + queues


def _delete(route: RouteSocket, index: int) -> None:
    try:
        route.change(_RTM_DELLINK, 0, _IFINFOMSG.pack(0, 0, index, 0, 0))
    except OSError as error:
        if error.errno != errno.ENODEV:  # it went with its peer
            raise


def _leaves_work(feature: str) -> bool:
    """Whether a device with this feature gets packets with unfinished checksums or merged ones."""
    return feature.startswith(("tx-checksum-", "tx-gso-")) or (
        feature.startswith("tx-") and feature.endswith("-segmentation")
    )


def _silence(route: RouteSocket, index: int) -> None:
    """No IPv6 address, so nothing is announced or asked for. Frames are taken all the same."""
    head = _IFINFOMSG.pack(0, 0, index, 0, 0)
    route.change(_RTM_SETLINK, 0, head + attribute(_IFLA_MTU, struct.pack("=I", MTU)))
    mode = attribute(_IFLA_INET6_ADDR_GEN_MODE, bytes([_ADDR_GEN_MODE_NONE]))
    try:
        route.change(_RTM_SETLINK, 0, head + attribute(_IFLA_AF_SPEC, attribute(_AF_INET6, mode)))
    except OSError as error:
        if error.errno != errno.EAFNOSUPPORT:  # a kernel without IPv6 has nothing to be silenced
            raise


def _queue(route: RouteSocket, index: int) -> bool:
    """Whether the end has its tbf now; False if this kernel lacks it."""
    rate = _RATESPEC.pack(0, _LINKLAYER_ETHERNET, 0, 0, _MPU, _RATE)
    parameters = rate + bytes(_RATESPEC.size) + struct.pack("=III", _LIMIT_BYTES, 0, 0)
    options = attribute(_TCA_TBF_PARMS, parameters) + attribute(_TCA_TBF_BURST, struct.pack("=I", _BURST_BYTES))
    request = (
        _TCMSG.pack(0, index, 0, _TC_H_ROOT, 0) + attribute(_TCA_KIND, b"tbf\0") + attribute(_TCA_OPTIONS, options)
    )
    try:
        route.change(_RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, request)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return False
    return True


def _raise(route: RouteSocket, index: int) -> None:
    head = _IFINFOMSG.pack(0, 0, index, IFF_UP | _IFF_NOARP, IFF_UP | _IFF_NOARP | _IFF_MULTICAST)
    route.change(_RTM_SETLINK, 0, head + attribute(_IFLA_IFALIAS, b"BPVS siding"))


def _await_carrier(route: RouteSocket, index: int) -> None:
    """The kernel notices a carrier, and lets packets out, a moment after both ends are up."""
    deadline = time.monotonic() + _CARRIER_S
    while True:
        answer = route.ask(RTM_GETLINK, _IFINFOMSG.pack(0, 0, index, 0, 0))
        if number(attributes(answer[_IFINFOMSG.size :]).get(_IFLA_OPERSTATE)) == _IF_OPER_UP:
            return
        if time.monotonic() >= deadline:
            raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))
        time.sleep(_PAUSE_S)


def _drop_multicast_route(route: RouteSocket, index: int) -> None:
    """IPv6 gives each interface a route to ff00::/8; here it could draw the host's own multicasts."""
    head = _RTMSG.pack(_AF_INET6, 8, 0, 0, _RT_TABLE_LOCAL, 0, 0, _RTN_MULTICAST, 0)
    to = attribute(_RTA_DST, b"\xff" + bytes(15)) + attribute(_RTA_OIF, struct.pack("=I", index))
    try:
        route.change(_RTM_DELROUTE, 0, head + to)
    except OSError as error:
        if error.errno not in (errno.ESRCH, errno.EOPNOTSUPP, errno.EAFNOSUPPORT):  # gone already, or no IPv6
            raise
