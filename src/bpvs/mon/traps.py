# SPDX-License-Identifier: GPL-2.0-or-later
"""Traps on UDP: other programs' results for services. A flood of datagrams costs what the limits allow, no more.

The loop takes one datagram a turn. Those of a source beyond its rate are dropped at once; of the rest, one at a time
has its password checked, in a thread. What was dropped is told once a minute.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from bpvs.model import BpvsError
from bpvs.model.mon import Key
from bpvs.mon.core.values import Trap
from bpvs.mon.limits import Bucket, Buckets
from bpvs.mon.senders import Senders, Stranger
from bpvs.mon.threads import in_thread
from bpvs.text.mon.escape import visible
from bpvs.text.mon.trap import VERSION, Datagram, parse_trap

if TYPE_CHECKING:
    from collections.abc import Sequence
    from socket import socket

    from bpvs.model.mon.auth import Auth
    from bpvs.mon.protocol.office import Office

_RATE, _BURST = 50.0, 500.0  # traps a second from one address
_LOG_RATE, _LOG_BURST = 5.0, 50.0  # refusals that the log keeps
_MOST_WAITING = 1000
_REPORT_AFTER = 60.0  # seconds
_DEFAULT = "default"  # the watch that takes traps for groups that are none


class Traps:
    """Receives traps on `sockets` until `close()`."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._sources = Buckets(_RATE, _BURST)
        self._lines = Bucket(_LOG_RATE, _LOG_BURST)
        self._queue: asyncio.Queue[tuple[Datagram, str]] = asyncio.Queue(_MOST_WAITING)
        self._waiting: Counter[str] = Counter()  # by address
        self._lost: Counter[str] = Counter()
        self._report: asyncio.TimerHandle | None = None
        self._auth: Auth | None = None
        self._senders = Senders(())
        self._transports: list[asyncio.DatagramTransport] = []
        self._worker: asyncio.Task[None] | None = None

    async def start(self, sockets: Sequence[socket]) -> None:
        """Listen; the sockets are this receiver's from now on."""
        loop = asyncio.get_running_loop()
        self._worker = loop.create_task(self._work())
        for one in sockets:
            transport, _ = await loop.create_datagram_endpoint(lambda: _Receiver(self), sock=one)
            self._transports.append(transport)

    async def close(self) -> None:
        """Stop; what waits is forgotten."""
        for transport in self._transports:
            transport.close()
        if self._worker:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        if self._report:
            self._report.cancel()

    def take(self, data: bytes, address: str) -> None:
        """A datagram came in."""
        if not self._sources.take(address):
            self._lose("dropped, because their sender sends too many")
            return
        datagram = parse_trap(data)
        if not self._waiting[address] and self._is_known(datagram, address):
            self._accept(datagram, address)
        elif self._queue.full():
            self._lose("dropped, because too many wait")
        else:
            self._waiting[address] += 1
            self._queue.put_nowait((datagram, address))

    def _is_known(self, datagram: Datagram, address: str) -> bool:
        """Whether to accept it without a slow look at its password."""
        if self._auth is not self._office.auth:
            return False
        try:
            hashed = self._senders.hash_for(address, datagram.user)
        except Stranger:
            return False
        return hashed is None or self._senders.knows(hashed, datagram.password)

    async def _work(self) -> None:
        while True:
            datagram, address = await self._queue.get()
            try:
                await self._authorise(datagram, address)
                self._accept(datagram, address)
            except BpvsError as error:
                self._refuse(str(error))
            finally:
                self._waiting -= Counter((address,))
                self._queue.task_done()

    async def _authorise(self, datagram: Datagram, address: str) -> None:
        auth = self._office.auth
        if self._auth is not auth:
            self._senders = await in_thread(partial(Senders, auth.senders))
            self._auth = auth
            for host in self._senders.unresolved:
                self._office.log("err", f"auth.cf: the trap sender {host} has no address: it may send none")
        hashed = self._senders.hash_for(address, datagram.user)
        if hashed is None or self._senders.knows(hashed, datagram.password):
            return
        if not await in_thread(partial(self._senders.check, hashed, datagram.password)):
            raise Stranger(f"received trap with bad password from user {datagram.user}, host {address}")

    def _accept(self, datagram: Datagram, address: str) -> None:
        """A trap of somebody who may: it counts if it says what it must."""
        for line in datagram.strange:
            self._refuse(f"unspecified tag in trap: {line}")
        if datagram.protocol is None or datagram.protocol < VERSION:
            self._refuse(f"cannot handle traps from version less than {VERSION}")
        elif datagram.status is None:
            self._refuse(f"no trap sta value specified from {address}")
        elif (key := self._target(datagram)) is not None:
            self._deliver(datagram, datagram.status, key, address)

    def _target(self, datagram: Datagram) -> Key | None:
        """The service that is meant; for an unknown group or service of `default` the watch of that name serves."""
        services = self._office.engine.config.services
        key = Key(datagram.group, datagram.service)
        if key in services:
            return key
        is_group = self._office.engine.watched(key.group)
        if not is_group or key.group == _DEFAULT:
            for other in (Key(_DEFAULT, key.service), Key(_DEFAULT, _DEFAULT)):
                if other in services:
                    return other
        what = f"service type {key.group}/{key.service}" if is_group else f"group {key.group}"
        self._refuse(f"trap received for undefined {what}")
        return None

    def _deliver(self, datagram: Datagram, status: int, key: Key, address: str) -> None:
        meant = Key(datagram.group, datagram.service)
        what = f"trap {visible(datagram.type)} {visible(datagram.specific)} from {address}"
        self._office.log("info", f"{what} grp={key.group} svc={key.service}, sta={status}")
        trap = Trap(
            key, status, datagram.summary, datagram.detail, address, meant if key.group != meant.group else None
        )
        self._office.perform(self._office.engine.trap(trap, self._office.moment()), trap.key)

    def _refuse(self, text: str) -> None:
        if self._lines.take():
            self._office.log("err", visible(text))
        else:
            self._lose("refused without a line here")

    def _lose(self, how: str) -> None:
        self._lost[how] += 1
        if self._report is None:
            self._report = asyncio.get_running_loop().call_later(_REPORT_AFTER, self._tell)

    def _tell(self) -> None:
        self._report = None
        for how, count in self._lost.items():
            self._office.log("warning", f"{count} traps were {how}, in {_REPORT_AFTER:g} s")
        self._lost.clear()


class _Receiver(asyncio.DatagramProtocol):
    """What asyncio calls for each datagram."""

    def __init__(self, traps: Traps) -> None:
        self._traps = traps

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """One came in."""
        self._traps.take(data, addr[0])
