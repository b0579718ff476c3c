# SPDX-License-Identifier: GPL-2.0-or-later
"""Every accepted difference between what IPVS and BPVS print in a scenario; docs/reference/differs.md is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/reference/differs.md"


@dataclass(frozen=True, slots=True)
class Accepted:
    """Lines of IPVS and of BPVS, as patterns of the whole (joined by newlines), in scenarios whose names fit a glob."""

    scenarios: str
    real: str
    ours: str
    told: str
    because: str

    def concerns(self, scenario: str) -> bool:
        return fnmatchcase(scenario, self.scenarios)


_NO_DAEMON = "there is no connection synchronisation"
_LOCAL = "a server on the director is listed as `Local`, not with its method"
_SHOWS = "it shows what happens to its packets"

ACCEPTED: tuple[Accepted, ...] = (
    Accepted(
        "checksums",
        r"(.*, checksum False: .*, checksum )True",
        r"(.*, checksum False: .*, checksum )False",
        "a UDP datagram without checksum gets one; with BPVS it stays without",
        "0 is allowed in IPv4, and computing it means reading the whole packet",
    ),
    Accepted(
        "server on the director",
        r"  -> \S+ +(Route|Tunnel|Masq  ) .*",
        r"  -> \S+ +Local .*",
        _LOCAL,
        _SHOWS,
    ),
    Accepted(
        "commands rs addresses",
        r"  -> (127\.0\.0\.1|10\.0\.0\.1|\[::1\]):80 +(Route|Masq) .*",
        r"  -> (127\.0\.0\.1|10\.0\.0\.1|\[::1\]):80 +Local .*",
        _LOCAL,
        _SHOWS,
    ),
    Accepted(
        "commands full listing",
        r"  -> (127\.0\.0\.1|localhost):\w+ +Masq .*",
        r"  -> (127\.0\.0\.1|localhost):\w+ +Local .*",
        _LOCAL,
        _SHOWS,
    ),
    Accepted(
        "settings defaults",
        r"\$ sysctl vs\.sync_\w+: [0-9 ]+",
        r"\$ sysctl vs\.sync_\w+: unknown",
        "settings of synchronisation are unknown",
        _NO_DAEMON,
    ),
    Accepted(
        "settings of synchronisation",
        r"\$ sysctl vs\.sync_\w+(=[0-9 ]+|: [0-9 ]+|=[0-9 ]+ -- refused)",
        r"\$ sysctl vs\.sync_\w+(: unknown|=[0-9 ]+ -- refused)",
        "settings of synchronisation cannot be set",
        _NO_DAEMON,
    ),
    Accepted(
        "settings ranges",
        r"\$ sysctl vs\.\w+(=-1|: -1)",
        r"\$ sysctl vs\.\w+(=-1 -- refused|: 4)",
        "a negative value is taken, as one that is not 0; BPVS refuses it",
        "no setting has a meaning for it",
    ),
    Accepted(
        "settings that BPVS has no use for",
        r"\$ sysctl vs\.\w+(=[01]|: [01])",
        r"\$ sysctl vs\.\w+(=[01] -- refused|: [01])",
        "conntrack, snat_reroute, ignore_tunneled and backup_only can be changed; with BPVS they have one value",
        "balanced packets do not pass netfilter, replies are routed once, there is no daemon",
    ),
    Accepted(
        "udp timers",
        r"UDP   300s( .*)",
        r"UDP    30s( .*)",
        "`--set` counts for a connection from its next packet on; with BPVS at once",
        "the table holds when a packet was seen last, not when the connection ends",
    ),
    Accepted(
        "hop limit ends at the director",
        r"TCP    61s  SYN_RECV( .*)",
        r"TCP     4s  NONE    ( .*)",
        "a packet whose hop limit ends at the director moves the connection's state; with BPVS it does not",
        "a packet that is dropped changes nothing",
    ),
    Accepted(
        "run_estimation",
        r"(TCP | )  ?\S+.* 0        0        0        0        0",
        r"(TCP | )  ?\S+.* 1        2        1       80       40",
        "counters stand still while run_estimation is 0; with BPVS rates do",
        "counters are read where the data path writes them",
    ),
    Accepted(
        "method edited with connections",
        r"s2:8080 - s2:8080 -|TCP +61s  SYN_RECV .*",
        r"s2:8080 s1/dr s2:8080 s1/dr|TCP +900s  ESTABLISHED .*",
        "new DR connections of a server that was a NAT server go nowhere while its old connections go on",
        "IPVS keeps one route for both, in which the server is not the next hop",
    ),
    Accepted(
        "port used again without server mode 1 [gm]",
        r"s3(/dr)? - s1(/dr)? s3(/dr)? - s1(/dr)?|.* 1 +2 +0 *|TCP   900s  ESTABLISHED \S+:4000[14] .*",
        r"s3(/dr)? s3(/dr)? s1(/dr)? s3(/dr)? s1(/dr)? s1(/dr)?|.* 1 +3 +0 *|TCP    61s  SYN_RECV    \S+:4000[14] .*",
        "a SYN from the port of a connection whose server was removed is dropped until that connection expires; with "
        "BPVS it is scheduled anew, unless conn_reuse_mode is 0",
        "ports of busy clients come round soon, and of DR and TUN such connections last a minute or more",
    ),
    Accepted(
        "replies of routes by the director",
        r"s[SPF]A: nothing nothing nothing nothing|TCP   120s  FIN_WAIT .*|.* (12|6) +0 +(480|240) +0",
        r"s[SPF]A: c c c c|TCP +(61s  CLOSE_WAIT|120s  TIME_WAIT) .*|.* (12 +12 +480 +480|6 +6 +240 +240)",
        "replies of DR and TUN servers by a director that has the virtual address are dropped as martians; BPVS sends "
        "them on and counts them",
        "they are seen before routing",
    ),
    Accepted(
        "client on the director",
        r"(answer|close): nothing|.* 1 +1 +0( +60 +0)? *|TCP    61s  SYN_RECV    \S+:40003 .*",
        r"(answer|close): s3: tcp d:40003 > vip:81 R?A|.* 1 +(0 +1|3 +1 +140 +40) *|TCP    10s  CLOSE  .*:40003 .*",
        "the reply of a DR server to a client on the director is dropped as a martian; with BPVS it arrives",
        "it is seen before routing, and handed to the client",
    ),
    Accepted(
        "pmtu_disc",
        r"(\d+: s1: ip4 d > s1 \[udp c2:40000 > vip:53) WRONG CHECKSUM\]; s1: ip4 d > s1",
        r"(\d+: s1: ip4 d > s1 \[udp c2:40000 > vip:53)\]; s1: ip4 d > s1 \[udp c2 > vip\]",
        "a packet too big for its tunnel is cut outside; by BPVS inside",
        "each piece then is a whole packet outside, which every end of a tunnel takes",
    ),
    Accepted(
        "outer headers",
        r"(tos 0x2a df False ttl 64: tos 0x2a df )False( .*)",
        r"(tos 0x2a df False ttl 64: tos 0x2a df )True( .*)",
        "outside, DF is what it is inside; with BPVS always set",
        "so routers tell the path's MTU, and the tunnel's end needs to put nothing together",
    ),
    Accepted(
        "commands daemon",
        r"(\n?(! No such device|! Daemon has already run|(master|backup) sync daemon \(mcast=d0, [^\n]*\)))*",
        r"(! --start-daemon: [^\n]*|! No daemon is running|)(\n-- exit code 255)?",
        "`--start-daemon` and `--stop-daemon` are refused",
        _NO_DAEMON,
    ),
    Accepted(
        "commands rs addresses",
        r"! Invalid operation\.  Possibly wrong module version, address not unicast, \.\.\.",
        r"! --start-daemon: .*",
        "`--start-daemon` is refused",
        _NO_DAEMON,
    ),
    Accepted(
        "commands sched flags",
        r"-- exit code 139",
        r"! invalid scheduler flag `,'\n-- exit code 2",
        "`-b ,` crashes ipvsadm",
        "it is refused like any unknown flag",
    ),
    Accepted(
        "commands schedulers",
        r"! Scheduler or persistence engine not found(\n-- exit code 255)?|TCP  10\.0\.1\.1:80 wlc|",
        r"! Service already exists(\n-- exit code 255)?|TCP  10\.0\.1\.1:80 twos|",
        "Debian's kernel has no scheduler `twos`",
        "BPVS has it",
    ),
)

_HEAD = """\
# Accepted differences

Made by `make oracle` from `tests/oracle/accepted.py`; do not edit. The oracle plays each scenario of
`tests/oracle/scenarios` with ipvsadm on the kernel's IPVS (Linux 6.1) and with BPVS and compares every line that they
print: output, servers chosen, states, timers, counters, packets. These are the differences that it accepts, and it
fails when one of them no longer occurs. What they mean to an operator is in
[differs from IPVS](../differs-from-ipvs.md).

"""


def page() -> str:
    """The text of docs/reference/differs.md."""
    if not ACCEPTED:
        return f"{_HEAD}There are none.\n"
    rows = [f"| `{one.scenarios}` | {one.told} | {one.because} |" for one in ACCEPTED]
    return "\n".join([f"{_HEAD}| Scenarios | Difference | Because |", "|---|---|---|", *rows, ""])
