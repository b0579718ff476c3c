# SPDX-License-Identifier: GPL-2.0-or-later
"""A SYN from the address and port of a connection that there is."""

from __future__ import annotations

from functools import partial

from tests.oracle.flow import Flow
from tests.oracle.play import Play
from tests.oracle.scenarios.registry import add, scenario

# What brought the connection to its end before it is opened anew; none: it is open.
_ENDS = {
    "open": (),
    "half open": None,
    "closed by the client": ("FA", "sFA", "A"),
    "closed by the server": ("sFA", "FA", "sA"),
    "reset": ("sR",),
    "half closed by the client": ("FA",),
    "half closed by the server": ("sFA",),
}


def again(play: Play, mode: int, method: str, rest: bool = False) -> None:
    """Each kind of end, then three times the same port."""
    play.sysctl(f"conn_reuse_mode={mode}")
    if rest:
        play.sysctl("expire_nodest_conn=1")
    play.service("-t V:80", "-s rr", [f"S{number}:80 {method}" for number in (1, 2, 3, 4)])
    flows = {}
    for at, (name, end) in enumerate(_ENDS.items()):
        flow = flows[name] = Flow(play, 2, 40000 + at)
        label = flow.ask("S") if end is None else flow.open()
        for step in end or ():
            flow.answer(step[1:]) if step.startswith("s") else flow.ask(step)
        play.say(f"{name}: {label}")
    play.connections()
    if rest:
        for number in (1, 2):
            play.vs(f"-e -t V:80 -r S{number}:80 {method} -w 0")
    for name, flow in flows.items():
        labels = []
        for _ in range(3):
            labels.append(flow.ask("S"))
            flow.answer("SA")
            labels.append(flow.ask("A"))
        play.say(f"{name}: {' '.join(labels)}")
    play.connections()
    play.table()


for _mode in (0, 1, 3):
    for _method in ("-m", "-g"):
        add(f"port used again mode {_mode} {_method[1:]}", partial(again, mode=_mode, method=_method))
add("port used again at resting servers", partial(again, mode=1, method="-m", rest=True))


def without_server(play: Play, mode: int, method: str) -> None:
    """One of three servers is removed, then each client begins anew."""
    play.sysctl(f"conn_reuse_mode={mode}")
    play.service("-t V:80", "-s rr", [f"S{number}:80 {method}" for number in (1, 2, 3)])
    flows = [Flow(play, 2, 40000 + at) for at in range(6)]
    play.choices(flow.open() for flow in flows)
    play.vs("-d -t V:80 -r S2:80")
    play.choices(flow.ask("S") for flow in flows)
    play.table()
    play.connections()


for _mode in (0, 1):
    for _method in ("-m", "-g"):
        add(
            f"port used again without server mode {_mode} {_method[1:]}",
            partial(without_server, mode=_mode, method=_method),
        )


@scenario("client port 20")
def ftp_data(play: Play) -> None:
    play.service("-t V:80", "-s rr", ("S1:80 -m",))
    play.service("-u V:53", "-s rr", ("S1:53 -m",))
    play.choices(Flow(play, 2, port).ask("S") for port in (20, 21, 19))
    play.choices(Flow(play, 2, port, 53, kind="udp").ask("x") for port in (20, 21, 19))
    play.connections()


@scenario("ftp service takes high ports")
def ftp(play: Play) -> None:
    play.timeouts.add(100)
    play.service("-t V:21", "-s rr -p 100", ("S1:21 -m", "S2:21 -m"))
    play.choices(
        Flow(play, 2 + at % 2, 40000 + at, port).ask("S") for at, port in enumerate((21, 21, 20, 1024, 5000, 1023, 80))
    )
    play.table()
    play.connections()
