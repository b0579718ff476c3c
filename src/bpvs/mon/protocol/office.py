# SPDX-License-Identifier: GPL-2.0-or-later
"""What the protocol needs of the daemon: clients and traps act on this, and on nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from bpvs.model.mon import Key
    from bpvs.model.mon.auth import Auth
    from bpvs.mon.core.engine import Engine
    from bpvs.mon.core.values import Effect, Moment

STATE_KINDS = ("disabled", "opstatus")


class Office(Protocol):
    """The daemon, as a client sees it. Methods that may wait are coroutines; none of them blocks the loop."""

    @property
    def engine(self) -> Engine:
        """What is watched and known."""

    @property
    def auth(self) -> Auth:
        """Who may do what, and who may send traps; as last read from auth.cf."""

    def moment(self) -> Moment:
        """Now."""

    def log(self, level: str, text: str) -> None:
        """A line for the log; levels are those of `values.Log`."""

    def perform(self, effects: Iterable[Effect], key: Key | None = None) -> None:
        """Sees to it that what the engine decided is done; afterwards the engine's next due time may be another.

        key: the only service whose state is another now; None: any may be
        """

    async def accepts(self, user: str, password: str, address: str) -> bool:
        """Whether that is the user's password, by `authtype`; `address` is the client's. Logs why not."""

    async def reset(self, *, stopped: bool, keep: bool) -> None:
        """Reads the configuration again; `keep`: what is known stays. ConfigError: the old one goes on."""

    def reload_auth(self) -> None:
        """Reads auth.cf again; BpvsError with its sentence when that is broken, and then the old one stays."""

    async def check_config(self) -> str | None:
        """What is wrong with the configuration file as it is now, in one line; None: nothing."""

    async def save_state(self, kinds: Collection[str]) -> None:
        """Writes those of STATE_KINDS into statedir; BpvsError when that fails."""

    async def load_state(self, kinds: Collection[str]) -> None:
        """Takes over those of STATE_KINDS from statedir; BpvsError when that fails, and then nothing has changed."""

    def disabled_changed(self) -> None:
        """Something was disabled or enabled: the state file `disabled` is to be written soon."""

    def tell_remote(self, words: Sequence[str]) -> None:
        """Calls the program of `monremote`, if there is one, with these words; does not wait for it."""

    def running(self) -> Sequence[tuple[Key, int]]:
        """The monitors that run now with their process ids; a built-in one has the daemon's."""

    async def downtime_log(self) -> Sequence[str] | None:
        """The lines of the downtime log without its comments; None: dtlogging is off. OSError: it cannot be read."""

    def terminate(self) -> None:
        """Ends the daemon, soon."""
