# SPDX-License-Identifier: GPL-2.0-or-later
"""The tutorial's second half as data: mon sees a server die, and the table changes; it lives, and is back."""

from __future__ import annotations

import re

from bpvs.cli.tours.step import Expectation, Seen, Step, prints, succeeds
from bpvs.cli.tours.tutorial import SERVERS, VIP
from bpvs.lab.shell import Result

CONFIG = f"""\
hostgroup web {" ".join(SERVERS)}

watch web
  service http
    interval 1s
    monitor http.monitor -t 1
    period wd {{Sun-Sat}}
      alert lvs.alert
      upalert lvs.alert
"""
_PATIENCE = 15.0  # seconds in which mon has to notice, on a machine that is busy with other things


def lists(*servers: str) -> Expectation:
    """The table has just these servers."""

    def expect(result: Result, seen: Seen) -> str:
        if result.code != 0:
            return succeeds(result, seen)
        found = sorted(re.findall(r"^  -> ([\d.]+):80 ", result.out, re.MULTILINE))
        return "" if found == sorted(servers) else f"the servers should be {', '.join(servers)}"

    return expect


def says(*words: str) -> Expectation:
    """The output has each of these words, and the exit code is 0."""

    def expect(result: Result, seen: Seen) -> str:
        if result.code != 0:
            return succeeds(result, seen)
        missing = [word for word in words if word not in result.out]
        return f"its output should say {missing[0]!r}" if missing else ""

    return expect


def another_answers(result: Result, seen: Seen) -> str:
    """The next in turn, whoever began."""
    if result.code != 0:
        return succeeds(result, seen)
    answer = result.out.strip()
    last, seen.answers = seen.answers, [answer]
    return "" if answer in SERVERS and [answer] != last else "the other server should answer"


def begins_anew(result: Result, seen: Seen) -> str:
    """One of the servers."""
    seen.answers = []
    return another_answers(result, seen)


STEPS = (
    Step("cat mon.cf", prints(CONFIG), "the second half: a daemon watches the servers"),
    Step("mon -f -c mon.cf -b . -D . -L . -P mon.pid", succeeds),
    Step("bpvs health", says("none fail", f"{SERVERS[0]}  ok", f"{SERVERS[1]}  ok"), patience=_PATIENCE),
    Step("ip link set eth0 down", succeeds, "a server dies", host="web50"),
    Step("ipvsadm -L -n", lists(SERVERS[1]), "the table changes by itself", patience=_PATIENCE),
    Step(f"curl {VIP}", prints(f"{SERVERS[1]}\n")),
    Step(f"curl {VIP}", prints(f"{SERVERS[1]}\n")),
    Step(
        f"bpvs health explain {SERVERS[0]}",
        says("web:http fails", f"{SERVERS[0]}:80 is removed from tcp:{VIP}:80", "returns when web:http is well again"),
        "why is it out?",
    ),
    Step("ip link set eth0 up", succeeds, "it lives again", host="web50"),
    Step("ipvsadm -L -n", lists(*SERVERS), "and it is back, as it was", patience=_PATIENCE),
    Step(f"curl {VIP}", begins_anew),
    Step(f"curl {VIP}", another_answers),
    Step("kill $(cat mon.pid)", succeeds, "forwarding needs no daemon: this one ends"),
)
