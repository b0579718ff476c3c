# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts, watches and services that were taken out, as the state file `disabled` keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpvs.text.mon.state import Disabled

if TYPE_CHECKING:
    from bpvs.mon.core.engine import Engine


def disabled_of(world: Engine) -> Disabled:
    """What is taken out now. A host is named once, whichever of its groups it is out of."""
    hosts = sorted({host for _, host in world.disabled_hosts})
    services = tuple(key for key, state in world.states.items() if state.is_disabled)
    return Disabled(tuple(hosts), tuple(sorted(world.disabled_watches)), services)


def disable(world: Engine, disabled: Disabled) -> list[str]:
    """Disable what was disabled; a sentence for each name that there is no more. Nobody is told by an alert."""
    gone = [f"disabled host {host} is in no group any more" for host in world.disable_hosts(disabled.hosts)]
    for group in disabled.watches:
        if world.watched(group):
            world.disable_watch(group)
        else:
            gone.append(f"disabled watch {group} is not watched any more")
    for key in disabled.services:
        if key in world.states:
            world.states[key].is_disabled = True
        else:
            gone.append(f"disabled service {key} is not there any more")
    return gone
