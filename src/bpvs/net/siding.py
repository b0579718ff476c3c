# SPDX-License-Identifier: GPL-2.0-or-later
"""The siding: a veth pair of BPVS's own in this network namespace, for what a BPF program cannot do with a packet.

    sent out of bpvs-a --- checksums finished, merged packets cut ---> comes in at bpvs-b, at once
    sent out of bpvs-b --- one packet a millisecond (tbf) -----------> comes in at bpvs-a, later

The pair has no address, joins no group and speaks to nobody. It is known by the MAC addresses of its ends.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable

from bpvs.model.value import dataclass
from bpvs.net import ethtool, namespace
from bpvs.net.links import SIDING_MACS, Link, links
from bpvs.net.netlink import NLM_F_CREATE, NLM_F_REPLACE, RouteSocket, attribute
from bpvs.net.veth import End, Pair, PairError

DONE = "bpvs-a"
WAIT = "bpvs-b"
_PAIR = Pair((End(DONE, SIDING_MACS[0]), End(WAIT, SIDING_MACS[1])), "BPVS siding")

# A packet costs at least `mpu` bytes, which is what one millisecond brings: so each costs the same, up to 64 KiB. The
# bucket holds one packet and the headers that a merged one is charged for each of its parts.
_MPU = 65535
_RATE = 1000 * _MPU
_BURST_BYTES = 70000
_LIMIT_BYTES = 1_000_000

_RTM_NEWQDISC = 36
_TCMSG = struct.Struct("=BxxxiIII")
_TC_H_ROOT, _TCA_KIND, _TCA_OPTIONS, _TCA_TBF_PARMS, _TCA_TBF_BURST = 0xFFFFFFFF, 1, 2, 1, 6
_RATESPEC = struct.Struct("=BBHhHI")  # cell_log, linklayer, overhead, cell_align, mpu, rate in bytes a second
_LINKLAYER_ETHERNET = 1


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
    ends = _PAIR.find(all_links)
    if ends is None or not (ends[0].is_up and ends[1].is_up):
        return None
    return Siding(ends[0].index, ends[1].index, ends[1].qdisc == "tbf")


def build() -> Siding:
    """Build it, or repair what is left of it; PairError. Without tbf it stands nevertheless."""
    with RouteSocket() as route:
        done, wait = _PAIR.ensure(route)
        try:
            ethtool.switch(DONE, _leaves_work, on=False)
            for index in (done, wait):
                _PAIR.silence(route, index)
            has_queue = _queue(route, wait)
            _PAIR.start(route, (done, wait))
        except OSError as error:
            raise PairError(f"{DONE} and {WAIT} cannot be set up: {error.strerror}") from error
    return Siding(done, wait, has_queue)


def obstacle() -> str:
    """Why it cannot be built here, as half a sentence; "" if it can. Tried out in a namespace made for that.

    OSError without the right to make one.
    """
    import threading  # the path of ipvsadm does without

    try:
        _PAIR.refuse_strangers(links())
    except PairError as error:
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
    except PairError as error:
        found.append(str(error))
    except OSError as error:
        found.append(error)


def remove() -> None:
    """Remove every end that is there, under whatever name."""
    with RouteSocket() as route:
        _PAIR.remove(route, links())


def _leaves_work(feature: str) -> bool:
    """Whether a device with this feature gets packets with unfinished checksums or merged ones."""
    return feature.startswith(("tx-checksum-", "tx-gso-")) or (
        feature.startswith("tx-") and feature.endswith("-segmentation")
    )


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
