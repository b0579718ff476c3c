# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scenario may do, on either side alike; all that it does and sees is a line of its transcript."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Callable, Iterable, Mapping

from tests.oracle import settle
from tests.oracle.side import Answer, Side, run_program
from tests.oracle.stage import EXT, INT, ROUTER, SERVERS, Sending, Sighting, Stage, server_mac

_LINE = 20  # choices in a line, so that a difference shows its place
_READS = 5  # of a list that changes, at most
_TICK_S = 2.3  # IPVS's estimator brings the displayed counters up to date every 2 s
_STATIONS = {ROUTER: "router"} | {server_mac(number): f"s{number}" for number in range(1, SERVERS + 1)}


class Play:
    """One scenario on one side."""

    def __init__(self, number: int, side: Side, stage: Stage) -> None:
        self.number = number
        self.side = side
        self.stage = stage
        self.lines: list[str] = []
        self.timeouts: set[int] = set()
        self._settings: dict[str, str] = {}
        self._marks = 0

    # Addresses

    @property
    def vip(self) -> str:
        return f"10.{self.number}.0.100"

    @property
    def vip6(self) -> str:
        return f"fd00:{self.number}::100"

    def client(self, number: int, six: bool = False) -> str:
        return f"fd0c:{self.number}::{number:x}" if six else f"10.{self.number}.1.{number}"

    def server(self, number: int, six: bool = False) -> str:
        return f"fd01:{self.number}::{10 + number}" if six else f"10.{self.number}.2.{10 + number}"

    def name(self, address: str) -> str:
        """`c7`, `s2`, `vip`, or the address itself."""
        for pattern, letter, base, number in (
            (rf"10\.{self.number}\.1\.(\d+)", "c", 10, 0),
            (rf"fd0c:{self.number}::(\w+)", "c", 16, 0),
            (rf"10\.{self.number}\.2\.(\d\d+)", "s", 10, 10),
            (rf"fd01:{self.number}::(\d\d+)", "s", 10, 10),
        ):
            if found := re.fullmatch(pattern, address):
                return f"{letter}{int(found[1], base) - number}"
        director = {self.vip: "vip", self.vip6: "vip", f"10.{self.number}.2.1": "d", f"fd01:{self.number}::1": "d"}
        return director.get(address, address)

    # The director's shell

    def say(self, *lines: str) -> None:
        self.lines += lines

    def note(self, text: str) -> None:
        self.say(f"# {text}")

    def run(self, line: str, stdin: str = "") -> Answer:
        """ipvsadm, unseen; V, V6, Sn and Sn6 stand for the addresses."""
        return self.side.ipvsadm(self.stage.director, shlex.split(self._expanded(line)), stdin)

    def vs(self, line: str, stdin: str = "") -> Answer:
        """ipvsadm with its answer."""
        answer = self.run(line, stdin)
        self.show(f"$ ipvsadm {line}", answer)
        return answer

    def set_up(self, *lines: str) -> None:
        """Commands that succeed, as input of `-R`; shown if they do not."""
        answer = self.run("-R", "".join(f"{self._expanded(line)}\n" for line in lines))
        if answer.code or answer.out or answer.err:
            self.say(*(f"< {line}" for line in lines))
            self.show("$ ipvsadm -R", answer)

    def service(self, service: str, options: str, servers: Iterable[str]) -> None:
        """A service and its servers: `-t V:80`, `-s rr`, then `S1:80 -m -w 3`."""
        self.set_up(f"-A {service} {options}", *(f"-a {service} -r {server}" for server in servers))

    def _expanded(self, line: str) -> str:
        def address(found: re.Match[str]) -> str:
            six = bool(found[2])
            if found[1] is None:
                return f"[{self.vip6}]" if six else self.vip
            server = self.server(int(found[1]), six)
            return f"[{server}]" if six else server

        return re.sub(r"\b(?:V|S(\d+))(v6)?(?=[:\s]|$)", address, line)

    def show(self, title: str, answer: Answer) -> None:
        """A command's answer as the transcript has it."""
        self.say(title, *settle.output(answer.out))
        self.say(*(f"! {line}" for line in settle.output(answer.err)))
        if answer.code:
            self.say(f"-- exit code {answer.code}")

    def table(self, options: str = "-L -n") -> None:
        """The services of this scenario, as they are listed."""
        self.vs(options)

    def counts(self, service: str) -> str:
        """`weight active inactive` of each server of a service, by its name."""
        rows = re.findall(r"^ +-> (\S+?):\d+ +\w+ +(\d+) +(\d+) +(\d+)", self.run(f"-L -n {service}").out, re.MULTILINE)
        return " ".join(f"{self.name(a.strip('[]'))}={w}/{active}/{idle}" for a, w, active, idle in rows)

    def stats(self, options: str = "-L -n --stats --exact") -> None:
        """The counters, when they show all that was counted."""
        self.await_counters()
        self.vs(options)

    def await_counters(self) -> None:
        """Returns when IPVS's estimator has taken in the last packets."""
        if self.side.name == "bpvs":
            return
        last, since = "", time.monotonic()
        deadline = since + 30
        while time.monotonic() - since < _TICK_S and time.monotonic() < deadline:
            text = self.run("-L -n --stats --exact").out
            if text != last:
                last, since = text, time.monotonic()
            time.sleep(0.1)

    def connections(self, options: str = "-L -n -c") -> None:
        """The connections of this scenario, sorted: the kernel's order is by a hash with a seed."""
        answer = self._whole(lambda: self.run(options))
        rows = self.own_rows(answer.out.splitlines())
        out = "".join(f"{line}\n" for line in answer.out.splitlines()[:2] + settle.connections(rows, self.timeouts))
        self.show(f"$ ipvsadm {options}", Answer(out, answer.err, answer.code))

    def _whole(self, read: Callable[[], Answer]) -> Answer:
        """A list of connections, read until it is as long twice: the kernel's leaves rows out that others move."""
        answer = read()
        for _ in range(0 if self.side.name == "bpvs" else _READS):
            last, answer = answer, read()
            if last.out.count("\n") == answer.out.count("\n"):
                break
        return answer

    def own_rows(self, lines: list[str]) -> list[str]:
        """Rows of a list of connections that are this scenario's: by its clients' addresses."""
        return [line for line in lines if f" 10.{self.number}." in line or f"[fd0c:{self.number}:" in line]

    def rows(self) -> dict[int, tuple[str, int]]:
        """State and rounded timeout of each connection of this scenario, by its client's port.

        Their timers were started by packets.
        """
        late = 0

        def read() -> Answer:
            nonlocal late
            late = int(time.monotonic() - self.stage.sent_at)
            return self.run("-L -n -c")

        found = {}
        for line in self.own_rows(self._whole(read).out.splitlines()):
            _protocol, expires, state, source, *_ = line.split()
            found[int(source.rpartition(":")[2])] = state, settle.timeout(expires, self.timeouts, late)
        return found

    def sysctl(self, setting: str) -> None:
        """`name=value` of net.ipv4.vs, until the scenario ends; the two sides refuse in words of their own."""
        name, _, value = setting.partition("=")
        if name not in self._settings:
            self._settings[name] = self.side.get_sysctl(self.stage.director, name).out.strip()
        answer = self.side.sysctl(self.stage.director, name, value)
        self.say(f"$ sysctl vs.{setting}" + (" -- refused" if answer.code else ""))

    def show_sysctl(self, name: str) -> None:
        answer = self.side.get_sysctl(self.stage.director, name)
        self.say(f"$ sysctl vs.{name}: {answer.out.strip().replace(chr(9), ' ') if not answer.code else 'unknown'}")

    def proc(self, name: str) -> None:
        """/proc/net/<name>; of connections, this scenario's."""
        answer = self._whole(lambda: self.side.proc(self.stage.director, name))
        lines = answer.out.splitlines()
        if name.startswith("ip_vs_conn"):
            mine = f" 0A{self.number:02X}", f" fd0c:{self.number:04x}:"
            rows = [line for line in lines[1:] if any(word in line for word in mine)]
            lines = lines[:1] + settle.proc_connections(rows, self.timeouts)
        if name == "ip_vs":
            lines = settle.proc_services(lines)
        self.show(f"$ cat /proc/net/{name}", Answer("".join(f"{line}\n" for line in lines), answer.err, answer.code))

    def mark(self, rule: str, mark: int) -> None:
        """nftables marks packets in PREROUTING, as every LVS guide does."""
        chain = "add table inet lvs\nadd chain inet lvs pre { type filter hook prerouting priority mangle; }\n"
        lines = "" if self._marks else chain
        self._marks += 1
        rule = rule.replace("V6", self.vip6).replace("V", self.vip)
        self.nft(f"{lines}add rule inet lvs pre {rule} meta mark set {mark}\n")

    def nft(self, lines: str) -> None:
        answer = run_program(self.stage.director, ["nft", "-f", "-"], lines)
        if answer.code:
            raise RuntimeError(f"nft refused {lines!r}: {answer.err}")

    def shell(self, line: str, environment: Mapping[str, str], *, shown: bool = True) -> None:
        """A line of shell on the director; its ipvsadm is the side's."""
        search = f"{self.side.commands}:{os.environ['PATH']}" if self.side.commands else os.environ["PATH"]
        with self.side.alone():
            answer = run_program(self.stage.director, ["bash", "-c", line], "", {**environment, "PATH": search})
        if shown:
            self.show(f"$ {line}", answer)

    # Traffic

    def from_client(self, packet: bytes) -> list[Sighting]:
        return self.stage.send([Sending(EXT, packet, ROUTER)])

    def from_server(self, number: int, packet: bytes) -> list[Sighting]:
        return self.stage.send([Sending(INT, packet, server_mac(number))])

    def told(self, sightings: Iterable[Sighting], ttl: bool = False) -> str:
        """Everything that left the director, in words; a tunnel or route shows by the station."""
        words = []
        for one in sightings:
            place = _STATIONS.get(one.station, one.station) if one.wire == INT else "out"
            words.append(f"{place}: {one.packet.told(self.name, ttl)}")
        return "; ".join(words) or "nothing"

    def choices(self, labels: Iterable[str]) -> None:
        """Where connections went, some in a line."""
        found = list(labels)
        self.say(*(" ".join(found[at : at + _LINE]) for at in range(0, len(found), _LINE)))

    def wait(self, what: str, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether the condition came true in time; says so."""
        deadline = time.monotonic() + seconds
        while not (done := condition()) and time.monotonic() < deadline:
            time.sleep(0.2)
        self.say(f"# {what}: {'yes' if done else 'no'}")
        return done

    def station(self, sighting: Sighting) -> str:
        return _STATIONS.get(sighting.station, sighting.station)

    def close(self) -> None:
        """Leaves the stage as it was found, but for connections, which have addresses of their own."""
        self.run("-C")
        self.run("--set 900 120 300")
        for name, value in self._settings.items():
            self.side.sysctl(self.stage.director, name, value.replace("\t", " "))
        if self._marks:
            self.nft("delete table inet lvs\n")
