# SPDX-License-Identifier: GPL-2.0-or-later
"""How a connection ends."""

from __future__ import annotations

import socket
import struct

_LINGER_NOT = struct.pack("ii", 1, 0)  # struct linger: on, for 0 seconds; socket(7)


def reset_on_close(one: socket.socket) -> None:
    """Whoever closes it resets the connection, which leaves no port behind in TIME_WAIT."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
