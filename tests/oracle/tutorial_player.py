# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays the tutorial with the ipvsadm that is named and prints a transcript: tutorial_player.py IPVSADM.

Run it with the real ipvsadm on the kernel's IPVS and with BPVS's: the two transcripts are the same. What differs from
run to run (timers, the client's ports) is written as words.
"""

from __future__ import annotations

import re
import sys
import time

from bpvs.lab import listing
from bpvs.lab.shell import Result, own_tool
from bpvs.lab.topology import Tutorial, tutorial
from bpvs.lab.wait import until

VIP = "192.168.122.53"
SERVICE = f"TCP {VIP}:80"
REQUESTS = 6
ESTIMATOR_S = 2.5  # IPVS brings its counters up to date every 2 s, so those that stand longer are complete
SETTLE_S = 60.0


class Player:
    """The director's shell: every command is printed with its output and exit code."""

    def __init__(self, network: Tutorial, ipvsadm: str) -> None:
        self.network = network
        self.ipvsadm = ipvsadm

    def show(self, command: str, result: Result) -> Result:
        """Print one finished command."""
        print(f"$ {command}\n{result.out}{result.err}-- exit code {result.code}", flush=True)
        return result

    def run(self, arguments: str, stdin: str = "") -> Result:
        """Run ipvsadm once, unseen."""
        return self.network.director.run(self.ipvsadm, *arguments.split(), stdin=stdin)

    def play(self, arguments: str, stdin: str = "") -> Result:
        """Run and show ipvsadm."""
        return self.show(f"ipvsadm {arguments}", self.run(arguments, stdin))

    def ask(self, times: int) -> None:
        """Request the page and show each answer."""
        for _ in range(times):
            result = self.network.director.curl(VIP)
            error = re.sub(r"after \d+ ms", "after TIME", result.err)
            self.show(f"curl {VIP}", Result("", result.code, result.out, error))

    def await_rest(self) -> None:
        """Return when every connection has ended and the counters have taken in their last packets."""
        until(self._all_inactive, "all connections should end", SETTLE_S)
        last, since = "", time.monotonic()

        def settled() -> bool:
            nonlocal last, since
            text = self.run("-L -n --stats --exact").out
            if text != last:
                last, since = text, time.monotonic()
            return listing.stats(text)[SERVICE].connections == REQUESTS and time.monotonic() - since > ESTIMATOR_S

        until(settled, "the counters should settle", SETTLE_S)

    def _all_inactive(self) -> bool:
        rows = listing.table(self.run("-L -n").out)[SERVICE].servers.values()
        return sum(row.inactive for row in rows) == REQUESTS and not any(row.active for row in rows)

    def play_connections(self) -> None:
        """List the connections without their timers and the client's ports, sorted: the kernel's order is by hash."""
        result = self.run("-L -n -c")
        lines = result.out.splitlines()
        rows = [re.sub(r":\d{4,5}\b *", ":PORT ", re.sub(r" \d\d:\d\d ", " TIMER ", line)) for line in lines[2:]]
        text = "".join(f"{line}\n" for line in lines[:2] + sorted(rows))
        self.show("ipvsadm -L -n -c", Result("", result.code, text, result.err))


def main(ipvsadm: str) -> int:
    """Play the whole tutorial; 0 if it came to its end, whatever the commands said."""
    with tutorial() as network:
        network.serve()
        # The kernel's IPVS goes with its namespace; an instance of BPVS is ended before.
        network.director.is_director = own_tool("ipvsadm") == [ipvsadm]
        player = Player(network, ipvsadm)
        player.play(f"-A -t {VIP}:80 -s rr")
        player.play(f"-a -t {VIP}:80 -r 192.168.122.50 -m")
        player.play(f"-a -t {VIP}:80 -r 192.168.122.51 -m")
        player.play("-L -n")
        player.ask(REQUESTS)
        player.await_rest()
        player.play("-L -n")
        player.play("-L -n --stats")
        player.play_connections()
        saved = player.play("-S -n")
        player.play("--clear")
        player.play("-L -n")
        player.ask(1)
        player.play("-R", saved.out)
        player.play("-S -n")
        player.ask(2)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
