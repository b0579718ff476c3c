# SPDX-License-Identifier: GPL-2.0-or-later
"""sd_notify(3): tells systemd that the daemon is ready, reloads, lives and stops. Without systemd nothing happens."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping


class Readiness:
    """Takes NOTIFY_SOCKET and WATCHDOG_USEC out of the environment: monitors and alerts are not the service."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._address = environment.pop("NOTIFY_SOCKET", "")
        microseconds = environment.pop("WATCHDOG_USEC", "")
        environment.pop("WATCHDOG_PID", None)
        # Seconds between two signs of life, half of what systemd allows; None: it does not watch.
        self.watchdog = int(microseconds) / 2e6 if microseconds.isdecimal() and int(microseconds) else None

    def ready(self, status: str) -> None:
        """All is set up, or set up again."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """The configuration is being read again; systemd wants to know since when."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def alive(self) -> None:
        """The loop goes round."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The end begins."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)
                channel.sendto(message.encode(), address)
        except OSError:  # nobody listens any more: the service goes on without
            return
