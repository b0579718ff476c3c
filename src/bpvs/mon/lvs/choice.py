# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of lvs.alert: which services, which servers, and how they go."""

from __future__ import annotations

import argparse
import re

from bpvs.model import Address, RealServer, ServiceKey
from bpvs.model.value import dataclass
from bpvs.mon.alerts.calling import Options
from bpvs.text.names import PROTOCOL_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_PROTOCOLS = {name: protocol for protocol, name in PROTOCOL_NAMES.items()}
_MARK = re.compile(r"fwm:([1-9]\d{0,9})")
_AT = re.compile(rf"({'|'.join(_PROTOCOLS)}):(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{{1,5}})")

Chosen = ServiceKey | int  # a service by address, or the mark of those by mark


@dataclass(frozen=True, slots=True)
class Choice:
    """`services`: these only, None: all that hold the server. `port`: servers with this port only, None: any.

    `removes`: False gives weight 0. `keeps_last`: a service's last server that takes connections stays.
    """

    services: tuple[Chosen, ...] | None = None
    port: int | None = None
    removes: bool = True
    keeps_last: bool = False

    def takes(self, key: ServiceKey, server: RealServer) -> bool:
        """Whether this server of this service is meant."""
        if self.services is not None and (key.fwmark or key) not in self.services:
            return False
        return self.port in (None, server.port)


def read(words: Sequence[str]) -> Choice:
    """The options as in mon.cf; AlertFailed."""
    options = Options("lvs.alert")
    how = options.add_mutually_exclusive_group()
    how.add_argument("--remove", action="store_true")
    how.add_argument("--quiesce", action="store_true")
    options.add_argument("--service", action="append", type=_service, metavar="tcp:VIP:PORT|fwm:N")
    options.add_argument("--port", type=_port, metavar="N")
    options.add_argument("--keep-last", action="store_true")
    found = options.read(words)
    return Choice(tuple(found.service) if found.service else None, found.port, not found.quiesce, found.keep_last)


def _service(text: str) -> Chosen:
    """`tcp:192.0.2.1:80`, `udp:[2001:db8::1]:53` or `fwm:7`."""
    mark = _MARK.fullmatch(text)
    if mark and int(mark[1]) < 2**32:
        return int(mark[1])
    at = _AT.fullmatch(text)
    try:
        if at and int(at[4]) < 2**16:
            return ServiceKey.at(_PROTOCOLS[at[1]], Address.parse(at[2] or at[3]), int(at[4]))
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(
        f"{text!r} is no service; right would be tcp:192.0.2.1:80, udp:[2001:db8::1]:53 or fwm:7"
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; right would be 1 to 65535")
    return int(text)
