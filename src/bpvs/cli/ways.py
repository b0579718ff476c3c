# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs demo --type`: one way of forwarding live, with the headers of its packets at each machine."""

from __future__ import annotations

import shlex
import sys
import time
from contextlib import nullcontext

from bpvs.cli.hops import chosen, table
from bpvs.cli.stage import DemoFailed, draw, play, say, workplace
from bpvs.cli.style import Style
from bpvs.cli.tours.step import Seen, Tour
from bpvs.lab.capture import Capture
from bpvs.lab.host import Host
from bpvs.lab.network import SWITCHES
from bpvs.lab.shell import own_tool
from bpvs.lab.topology import Routed
from bpvs.net.links import links


def show(tour: Tour, keep: bool, style: Style) -> None:
    """Plays a tour in a network of its own; DemoFailed if a command or the packets' way is not as it should be."""
    begun = time.monotonic()
    with tour.topology(keep) as net, workplace(net.network, keep) as folder:
        say(style.paint(f"{tour.title}\n", "bold"))
        draw(tour.picture, style)
        net.director.is_director = True
        net.serve(80)
        seen = Seen()
        for number, step in enumerate(tour.steps, 1):
            host = net.network.hosts[step.host]
            host.is_real_server |= "realserver" in step.command
            with Capture(_watched(net)) if step.is_captured else nullcontext() as capture:
                play(number, step, f"{step.host}$", host, folder, seen, style)
                if capture:
                    _show_hops(net, tour, capture, style)
        if keep:
            _how_to_enter(net, style)
    seconds = time.monotonic() - begun
    say(style.paint(f"Commands and packets did what they should, in {seconds:.1f} s.", "green", "bold"))


def _watched(net: Routed) -> dict[str, Host]:
    """Machines that are the business of a way of forwarding: neither switches nor the router beside the director."""
    hosts = (net.client, net.director, *net.servers)
    return {name: host for name, host in net.network.hosts.items() if host in hosts}


def _show_hops(net: Routed, tour: Tour, capture: Capture, style: Style) -> None:
    found = chosen(capture.sightings(), net.clients.four(2), tour.flags)[: len(tour.path)]
    say(style.paint("\n# how that connection began, as captured at each machine", "dim"))
    sys.stdout.write(table(found, _machines(net), style) + "\n")
    shown = tuple(sighting.place for sighting in found)
    if shown != tour.path:
        raise DemoFailed(f"the packets should have been seen at {', '.join(tour.path)}, not at {', '.join(shown)}")


def _machines(net: Routed) -> dict[bytes, str]:
    found = {}
    for name, host in net.network.hosts.items():
        if name != SWITCHES:
            with host.inside():
                found.update({link.mac: name for link in links() if link.kind == "veth"})
    return found


def _how_to_enter(net: Routed, style: Style) -> None:
    ipvsadm, bpvs = (shlex.join(own_tool(name)) for name in ("ipvsadm", "bpvs"))
    lines = [
        style.paint("The network is left standing. Play with it:", "bold"),
        f"  ip netns exec {net.client.name} curl {net.vip}",
        f"  ip netns exec {net.director.name} {ipvsadm} -L -n --stats",
        style.paint("Remove it:", "bold"),
        f"  {bpvs} demo --remove {net.network.name}",
    ]
    say("\n".join(lines))
