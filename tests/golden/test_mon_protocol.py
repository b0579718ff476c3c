# SPDX-License-Identifier: GPL-2.0-or-later
"""A long conversation with the real mon, held again: the same events, the same commands, the same answers.

What cannot be the same (clocks, process ids) is masked; what is not meant to be stands in ACCEPTED with the reason.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bpvs.model.mon import Key
from bpvs.mon.protocol.session import Session, answer
from tests.mon.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent / "mon/04_protocol"
HTTP, DIG, LONE = Key("WEB", "http"), Key("DNS", "dig"), Key("LONE", "x")
BAD = "w1.example w2.example\nHOST w1.example: \"refused\" 'x' back\\slash\ttab\nü last line\n"
FINE = "\nall fine\n"

EPOCH = 1795377000

Result = tuple[Key, int, str]
Name = tuple[str, str, int]  # section, command, how many times it has come there
FAILURE: Result = (HTTP, 1, BAD)
LISTS, VIEWS, ACKS = "list commands (anonymous)", "views", "ack as dave"
CHANGES, VARIABLES, TESTS = "disable/enable as alice", "get/set as alice", "test as alice"
CONTROL, RECOVERY, RESET = "clear/reload/start/stop/savestate as alice", "after recovery", "reset"
# Before this command: what the monitors said, and when (seconds after EPOCH).
EVENTS: dict[Name, list[tuple[int, Result]]] = {
    (LISTS, "list watch", 1): [
        (794, FAILURE),
        (799, FAILURE),
        *((second, (key, 0, FINE)) for second in (800, 801) for key in (DIG, LONE)),
        (802, FAILURE),
    ],
    (ACKS, "login dave davepw", 1): [(807, FAILURE), (810, FAILURE)],
    (VARIABLES, "login alice alicepw", 1): [(815, FAILURE)],
    (VARIABLES, "set WEB http interval 3", 1): [(820, FAILURE)],
    (VARIABLES, "list opstatus DNS,dig", 3): [(823, (DIG, 0, FINE))],
    (CHANGES, "disable host w1.example", 1): [(826, FAILURE)],
    (CHANGES, "list opstatus WEB,http LONE,x", 1): [(830, FAILURE)],
    (CONTROL, "login alice alicepw", 1): [(834, FAILURE)],
    (RECOVERY, "list opstatus WEB,http", 1): [(841, (HTTP, 0, "\nok now\n"))],
}
# The clock at commands that leave a time behind.
CLOCK: dict[Name, int] = {
    (ACKS, "ack WEB http two words", 1): 812,
    (ACKS, "ack WEB http 'quoted \\22two\\22 words'", 1): 814,
    (CONTROL, "stop", 1): 837,
    (RESET, "reset stopped", 1): 847,
}

MASKS = (
    (re.compile(r"\b(last_check|last_success|failure_duration)=[1-9]\d*"), r"\1=*"),
    (re.compile(r"\b(timer|monitor_running|monitor_duration)=\d+"), r"\1=*"),
    (re.compile(r"PID \d+@\S+"), "PID *"),
    (re.compile(r"^(server) \d+$"), r"\1 *"),
    (re.compile(r"^\d{10} \w{3} \w{3} +\d+ [\d:]{8} \d{4}$"), "* servertime"),
    (re.compile(r"/lab/mon/alert\.d"), "/alert.d"),
)
# What mon says otherwise everywhere, as we say it.
SYSTEMATIC = (
    # A startup alert is none of an outage, and is not counted as one.
    (re.compile(r"(service=http .* alerts_sent=)([1-9])"), lambda found: f"{found[1]}{int(found[2]) - 1}"),
    # A status that was set is a number, like any other.
    (re.compile(r"opstatus=fail\b"), lambda _: "opstatus=0"),
    (re.compile(r"opstatus=ok\b"), lambda _: "opstatus=1"),
)


def _alert(kind: str, second: int, arguments: str, summary: str) -> str:
    line = f"{kind} WEB http {EPOCH + second} /alert.d/rec.alert ({arguments}) {summary}"
    return line.replace(" ", r"\20")


DIG_FAILS = (
    "group=DNS service=dig opstatus=0 last_opstatus=1 exitval=0 timer=* last_success=* last_trap=0"
    " last_traphost= last_check=* ack=0 ackcomment= alerts_sent=0 depstatus= depend= hostdepend="
    " monitordepend= alertdepend= monitor=ctl.monitor last_summary= last_detail=all\\20fine\\0a interval=2"
    f" monitor_duration=* monitor_running=* first_failure={EPOCH + 820} failure_duration=0"
)
PHANTOM = "asking for a name does not make it exist"
UNKNOWN = "a name that is not there is an error"
HISTORY = "histories keep N entries, not N + 1"
SETTABLE = "only what the daemon makes something of can be set"
OWN_LINES = "a view's members may all stand on lines of their own"
STATUS = "a status that was set is a status, and no outage that ends"
WATCHES = ["DNS dig", "LONE x", "WEB http", "WEB ping", "220 list watch completed"]
# Our whole answer, its data lines sorted, and why.
ACCEPTED: dict[Name, tuple[str, list[str]]] = {
    (LISTS, "list opstatus NOPE", 1): (UNKNOWN, ["520 NOPE does not exist"]),
    (LISTS, "list pids", 1): ("no monitor runs here just now", ["server *", "220 list pids completed"]),
    (LISTS, "list aliases NOPE", 1): (UNKNOWN, ["520 list aliases error, undefined alias NOPE"]),
    (LISTS, "list aliasgroups", 1): (PHANTOM, ["SHOP", "220 list aliasgroups completed"]),
    (LISTS, "list views", 1): (OWN_LINES, ["views netview other", "220 list group completed"]),
    (VIEWS, "list deps", 1): (
        "a view does not hide the dependencies of its services",
        [
            "cmp DNS dig NONE",
            "cmp WEB http NONE",
            "cmp WEB ping WEB:http DNS:dig",
            "exp DNS dig 'NONE'",
            "exp WEB http 'NONE'",
            r"exp WEB ping 'WEB:http\20&&\20DNS:dig'",
            "220 list deps completed",
        ],
    ),
    (VIEWS, "setview other", 1): (OWN_LINES, ["selecting view other", "220 setview completed"]),
    (VIEWS, "list watch", 2): (OWN_LINES, ["LONE x", "220 list watch completed"]),
    (ACKS, "list watch", 1): (PHANTOM, WATCHES),
    (ACKS, "ack WEB nope hello", 1): ("one command has one answer", ["520 unknown service"]),
    (ACKS, "list watch", 2): (PHANTOM, WATCHES),
    (VARIABLES, "get WEB http periods", 1): (
        "the daemon's memory is nobody's business",
        ["WEB http periods=''", "220 get completed"],
    ),
    (VARIABLES, "set WEB http note unquoted two", 1): (
        SETTABLE,
        ["520 set error, only interval, description and opstatus can be set"],
    ),
    (VARIABLES, "get WEB http note", 1): (SETTABLE, ["WEB http note=''", "220 get completed"]),
    (VARIABLES, "set NOPE x y z", 1): (UNKNOWN, ["520 NOPE,x not defined"]),
    (VARIABLES, "list opstatus DNS,dig", 1): (
        "an outage begins with a status that was set, too",
        [
            DIG_FAILS,
            "220 list opstatus completed",
        ],
    ),
    (CHANGES, "disable watch NOPE", 1): (UNKNOWN, ['520 disable error, unknown watch "NOPE"']),
    (CHANGES, "disable service WEB nope", 1): (UNKNOWN, ["520 disable error, unknown service"]),
    (CHANGES, "list disabled", 1): (
        PHANTOM,
        [
            "group LONE: lone.example",
            "group WEB: w1.example",
            "watch DNS",
            "watch LONE",
            "watch WEB service http",
            "220 list disabled completed",
        ],
    ),
    (CHANGES, "enable service WEB nope", 1): (UNKNOWN, ["520 enable error, unknown group"]),
    (CHANGES, "enable watch NOPE", 1): (UNKNOWN, ["520 enable error, unknown watch"]),
    (TESTS, "test monitor WEB nope", 1): (UNKNOWN, ["520 WEB nope not defined"]),
    (TESTS, "test monitor NOPE nope", 1): (UNKNOWN, ["520 NOPE nope not defined"]),
    (TESTS, "test alert WEB nope 1 x", 1): (UNKNOWN, ["520 WEB nope not defined"]),
    (CONTROL, "clear timers WEB nope", 1): (UNKNOWN, ["520 unknown group"]),
    (CONTROL, "list dtlog", 1): (STATUS, ["220 list dtlog completed"]),
    (RECOVERY, "list dtlog", 1): (
        STATUS,
        ["1795377841 WEB http 1795377794 47 3 w1.example w2.example", "220 list dtlog completed"],
    ),
    (RECOVERY, "list alerthist", 1): (
        f"{HISTORY}; a disablealert is called",
        [
            _alert("ackalert", 812, "acked", "dave: two"),
            _alert("ackalert", 814, "acked", r"dave: quoted \22two\22 words"),
            _alert("ackalert", 814, "acked", "dave: unq20esc"),
            _alert("alert", 810, "mail me@x", "w1.example w2.example"),
            _alert("alert", 810, "night arg", "w1.example w2.example"),
            _alert("disablealert", 823, "disabled", "alice"),
            _alert("upalert", 841, "up", "w1.example w2.example"),
            "220 list alerthist completed",
        ],
    ),
    (RECOVERY, "list failurehist", 1): (
        HISTORY,
        [
            *(
                rf"WEB\20http\20{EPOCH + second}\20w1.example\20w2.example"
                for second in (807, 810, 815, 820, 826, 830, 834)
            ),
            "220 list failurehist completed",
        ],
    ),
}


@dataclass(frozen=True)
class Exchange:
    """A command and the lines that the real mon answered, whenever they came."""

    name: Name
    answer: list[str]


def _transcript() -> Iterator[Exchange]:
    sections = (FOLDER / "transcript.txt").read_text().split("### ")[1:]
    for section in sections:
        title, _, text = section.partition("\n")
        seen: Counter[str] = Counter()
        for part in text.split("C: ")[1:]:
            command, *answers = part.splitlines()
            seen[command] += 1
            lines = [line.partition(": ")[2] for line in answers if line.startswith("S")]
            yield Exchange((title, command, seen[command]), lines)


def _masked(lines: list[str]) -> list[str]:
    """The data lines sorted (the real mon has its services in random order), and without what time makes of them."""
    for pattern, text in MASKS:
        lines = [pattern.sub(text, line) for line in lines]
    return [*sorted(lines[:-1]), lines[-1]]


def _expected(exchange: Exchange) -> list[str]:
    lines = exchange.answer
    for pattern, text in SYSTEMATIC:
        lines = [pattern.sub(text, line) for line in lines]
    return _masked(lines)


class Conversation:
    """Our side of it."""

    def __init__(self, folder: Path) -> None:
        for name in ("mon.cf", "auth.cf", "userfile"):
            shutil.copy(FOLDER / name, folder / name)
        self.desk = Desk(folder, authtype=["userfile"])
        self._go_to(791)
        self.desk.perform(self.desk.engine.start(self.desk.moment()))
        self._section = ""
        self._session = Session(self.desk, "127.0.0.1")

    async def say(self, name: Name) -> list[str]:
        """One command; each section is a connection."""
        section, command, _ = name
        if section != self._section:
            self._section, self._session = section, Session(self.desk, "127.0.0.1")
        for second, (key, status, output) in EVENTS.get(name, ()):
            self._go_to(second)
            self.desk.result(key, status, output)
        self._go_to(CLOCK.get(name, 0))
        reply = await answer(self._session, command)
        return [*reply.lines, reply.final]

    def _go_to(self, second: int) -> None:
        stage = self.desk.stage
        stage.sleep(max(0.0, EPOCH + second - stage.now.epoch))


async def _differences(folder: Path) -> tuple[list[str], set[Name]]:
    conversation = Conversation(folder)
    wrong, unused = [], set(ACCEPTED)
    for exchange in _transcript():
        ours, theirs = _masked(await conversation.say(exchange.name)), _expected(exchange)
        if ours == theirs:
            continue
        if exchange.name in ACCEPTED and ours == ACCEPTED[exchange.name][1]:
            unused.discard(exchange.name)
        else:
            wrong.append("\n  ".join([f"{exchange.name}", "mon:", *theirs, "bpvs:", *ours]))
    return wrong, unused


def test_the_real_conversation(tmp_path: Path) -> None:
    wrong, unused = asyncio.run(_differences(tmp_path))
    assert not wrong, "\n".join(wrong)
    assert not unused, "accepted, but the answers are alike"
