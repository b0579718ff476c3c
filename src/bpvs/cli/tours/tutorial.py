# SPDX-License-Identifier: GPL-2.0-or-later
"""The tutorial as data: each command as an operator types it, and what its output must be."""

from __future__ import annotations

from bpvs.cli.tours.step import Expectation, Seen, Step, prints, succeeds
from bpvs.lab.shell import Result

VIP = "192.168.122.53"
SERVERS = ("192.168.122.50", "192.168.122.51")
_REFUSED = 7  # curl's "failed to connect"

PICTURE = """\
             192.168.122.0/24
      ┌──────────────┬──────────────┐
┌─────┴────┐   ┌─────┴────┐   ┌─────┴────┐
│ director │   │  web50   │   │  web51   │
│   .53    │   │   .50    │   │   .51    │
│ = VIP:80 │   │   :80    │   │   :80    │
└──────────┘   └──────────┘   └──────────┘
"""

TABLE = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  192.168.122.53:80 rr
  -> 192.168.122.50:80            Masq    1      0          0         
  -> 192.168.122.51:80            Masq    1      0          0         
"""  # noqa: W291  because ipvsadm ends these lines in blanks
SAVED = """\
-A -t 192.168.122.53:80 -s rr
-a -t 192.168.122.53:80 -r 192.168.122.50:80 -m -w 1
-a -t 192.168.122.53:80 -r 192.168.122.51:80 -m -w 1
"""


def answers_in_turn(result: Result, seen: Seen) -> str:
    """Strict turn; the first answer is that of the server added last, because new servers go to the list's head."""
    if result.code != 0:
        return succeeds(result, seen)
    answer = result.out.strip()
    want = SERVERS[1 - len(seen.answers) % 2]
    seen.answers.append(answer)
    return "" if answer == want else f"the answer should come from {want}"


def is_refused(result: Result, _seen: Seen) -> str:
    """Connection refused: nobody listens there."""
    return (
        ""
        if result.code == _REFUSED
        else f"curl's exit code is {result.code} instead of {_REFUSED}, connection refused"
    )


def counts_both_ways(result: Result, seen: Seen) -> str:
    """Four connections at the service, two at each server, packets and bytes in both directions."""
    if result.code != 0:
        return succeeds(result, seen)
    rows = [line.split() for line in result.out.splitlines()[3:]]
    figures = [[int(word) for word in words[-5:]] for words in rows]
    if [row[0] for row in figures] != [len(seen.answers)] + [len(seen.answers) // 2] * 2:
        return (
            f"the connections should be {len(seen.answers)} at the service and {len(seen.answers) // 2} at each server"
        )
    return "" if all(number > 0 for row in figures for number in row) else "every counter should be above zero"


def lists_connections(result: Result, seen: Seen) -> str:
    """One line for every answer so far."""
    if result.code != 0:
        return succeeds(result, seen)
    rows = [line for line in result.out.splitlines()[2:] if f"{VIP}:80" in line]
    return "" if len(rows) == len(seen.answers) else f"there should be {len(seen.answers)} connections to {VIP}:80"


def restarts(expect: Expectation) -> Expectation:
    """`expect` on a clean slate: a restored service begins its turn anew."""

    def checked(result: Result, seen: Seen) -> str:
        seen.answers.clear()
        return expect(result, seen)

    return checked


STEPS = (
    Step(f"ipvsadm -A -t {VIP}:80 -s rr", succeeds, "a virtual server on the director's own address, round robin"),
    Step(f"ipvsadm -a -t {VIP}:80 -r {SERVERS[0]} -m", succeeds, "two real servers behind it, by NAT"),
    Step(f"ipvsadm -a -t {VIP}:80 -r {SERVERS[1]} -m", succeeds),
    Step("ipvsadm -L -n", prints(TABLE), "the table"),
    Step(f"curl {VIP}", answers_in_turn, "the servers answer in turn, the one added last first"),
    *[Step(f"curl {VIP}", answers_in_turn) for _ in range(3)],
    Step("ipvsadm -L -n --stats", counts_both_ways, "connections, packets and bytes, in and out"),
    Step("ipvsadm -L -n -c", lists_connections, "the connection table, kept and expired by the kernel"),
    Step("ipvsadm -S -n > ipvsadm.conf", succeeds, "save, clear, restore"),
    Step("cat ipvsadm.conf", prints(SAVED)),
    Step("ipvsadm --clear", succeeds),
    Step(f"curl {VIP}", is_refused, "now nobody answers"),
    Step("ipvsadm -R < ipvsadm.conf", succeeds),
    Step(f"curl {VIP}", restarts(answers_in_turn), "and they answer again"),
    Step(f"curl {VIP}", answers_in_turn),
)
