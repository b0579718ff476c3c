# SPDX-License-Identifier: GPL-2.0-or-later
"""Listings read back; text that is none is refused."""

from __future__ import annotations

import pytest

from bpvs.lab import listing
from bpvs.lab.listing import ConnectionRow, ServerRow, ServiceRow, StatsRow

HEAD = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
"""
STATS = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  10.9.0.100:80                       4       28       20     1500     1072
  -> 10.0.1.11:80                        4       28       20     1500     1072
"""
CONNECTIONS = """\
IPVS connection entries
pro expire state       source             virtual            destination
TCP 14:59  ESTABLISHED 10.9.0.2:40000     10.9.0.100:80      10.0.1.13:80
UDP 04:08  UDP         [fd09::2]:40001    [fd09::100]:53     [fd01::11]:5353
"""


def test_a_table() -> None:
    text = (
        f"{HEAD}TCP  10.9.0.100:80 rr\n"
        "  -> 10.0.1.11:80                 Masq    1      4          5         \n"
        "TCP  [fd09::100]:80 wrr persistent 360\n"
    )
    assert listing.table(text) == {
        "TCP 10.9.0.100:80": ServiceRow("rr", {"10.0.1.11:80": ServerRow("Masq", 1, 4, 5)}),
        "TCP [fd09::100]:80": ServiceRow("wrr", {}),
    }


def test_statistics() -> None:
    row = StatsRow(4, 28, 20, 1500, 1072)
    assert listing.stats(STATS) == {"TCP 10.9.0.100:80": row, "TCP 10.9.0.100:80 10.0.1.11:80": row}


def test_connections() -> None:
    assert listing.connections(CONNECTIONS) == [
        ConnectionRow("TCP", 899, "ESTABLISHED", "10.9.0.2:40000", "10.9.0.100:80", "10.0.1.13:80"),
        ConnectionRow("UDP", 248, "UDP", "[fd09::2]:40001", "[fd09::100]:53", "[fd01::11]:5353"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Can't initialize ipvs: Protocol not available\n",
        f"{HEAD}  -> 10.0.1.11:80                 Masq    1      0          0\n",
        f"{HEAD}TCP  10.9.0.100:80\n",
        f"{HEAD}TCP  10.9.0.100:80 rr\n  -> 10.0.1.11:80                 Masq    1      0\n",
        f"{HEAD}TCP  10.9.0.100:80 rr\n  -> 10.0.1.11:80                 Masq    x      0          0\n",
    ],
)
def test_what_is_not_a_table_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        listing.table(text)


@pytest.mark.parametrize("text", [HEAD, CONNECTIONS + "TCP 14:59  ESTABLISHED\n"])
def test_what_is_not_a_connection_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        listing.connections(text)
