# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of ipvsadm, each carried out on a director or on the table of a running change."""

from __future__ import annotations

from bpvs.model import NoSuchService, NotBuilt, ServiceKey, Table, TableError
from bpvs.text.command import parse_command, restore_words
from bpvs.text.errors import NotACommand, UsageError

TYPE_CHECKING = False  # spelt out, because importing typing costs milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from bpvs.ipvsadm.ports import DirectorPort
    from bpvs.text.command import Command
    from bpvs.text.names import Resolver

LISTING_FAILED = 1
REFUSED = 255
BROKEN_PIPE = 141  # what a shell reports of a program that SIGPIPE ended
_SHOWING = ("list", "save", "get-laddr")
_NO_DAEMONS = {
    "start-daemon": "--start-daemon: this version of BPVS has no connection synchronisation",
    "stop-daemon": "No daemon is running",
}


class _Stop(Exception):
    """A line of `-R` ends the run; what came before it counts."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Session:
    """Where a run prints and how it finds names; the methods return exit codes."""

    def __init__(self, program: str, stdout: TextIO, stderr: TextIO, resolver: Resolver) -> None:
        self.program = program
        self.stdout = stdout
        self.stderr = stderr
        self.resolver = resolver

    def complain(self, what: object) -> None:
        """One line on stderr; output so far goes first, so that both read in order on a terminal."""
        self.stdout.flush()
        self.stderr.write(f"{what}\n")
        self.stderr.flush()

    def execute(self, command: Command, director: DirectorPort | None = None) -> int:
        """Carry out one command that is not `-R`; BpvsError if it is refused."""
        if director is None or command.name in ("help", "version"):
            return self._introduce(command)
        if command.name in _SHOWING:
            return self._show(command, director)
        if command.name in _NO_DAEMONS:
            raise NotBuilt(_NO_DAEMONS[command.name])
        with director.change() as table:
            apply(command, table)
        return 0

    def restore(self, director: DirectorPort, lines: Iterable[str], clear: bool = False) -> int:
        """Carry out the lines as one change and return the exit code of the last; `clear` empties the table first.

        A line that the table or popt refuses is reported and the next one follows; any other mistake ends the run, and
        what came before it is published.
        """
        work = [words for words in map(restore_words, lines) if words]
        if not work and not clear:
            return 0
        code = 0
        with director.change() as table:
            if clear:
                table.clear()
            try:
                for words in work:
                    code = self._line(words, director, table)
            except _Stop as stop:
                code = stop.code
        return code

    def _line(self, words: list[str], director: DirectorPort, table: Table) -> int:
        try:
            return self._carry_out(words, director, table)
        except UsageError as error:
            self.complain(error)
            if error.stops_restore:
                raise _Stop(error.code) from None
            return error.code
        except (TableError, NotBuilt) as error:
            self.complain(error)
            return REFUSED
        except BrokenPipeError:
            raise _Stop(BROKEN_PIPE) from None

    def _carry_out(self, words: list[str], director: DirectorPort, table: Table) -> int:
        command = parse_command(words, self.program, self.resolver)
        if command.name == "restore":
            raise NotACommand(self.program)
        if command.name in ("help", "version"):
            raise _Stop(self._introduce(command))
        if command.name in _SHOWING:
            code = self._show(command, director, table)
            if code:
                raise _Stop(code)
            return 0
        if command.name in _NO_DAEMONS:
            raise NotBuilt(_NO_DAEMONS[command.name])
        apply(command, table)
        return 0

    def _introduce(self, command: Command) -> int:
        from bpvs.ipvsadm.help import HELP, VERSION

        self.stdout.write(VERSION if command.name == "version" else VERSION + HELP.format(program=self.program))
        return 0

    def _show(self, command: Command, director: DirectorPort, pending: Table | None = None) -> int:
        # Here and not above, because commands that print nothing are run far more often.
        from bpvs.ipvsadm.show import show

        try:
            show(command, director, pending, self.resolver, self.stdout)
        except NoSuchService as error:
            self.complain(error)
            return LISTING_FAILED
        return 0


def apply(command: Command, table: Table) -> None:
    """Carry out a command that changes the table; TableError or NotBuilt if it refuses."""
    key, service, server = command.key, command.service, command.server
    if command.name == "clear":
        table.clear()
    elif command.timeouts is not None:
        table.set_timeouts(command.timeouts)
    elif command.name == "zero":
        table.zero(None if key is None or _is_nothing(key) else key)
    elif service is not None:
        (table.add_service if command.name == "add-service" else table.edit_service)(service)
    elif key is not None and command.local is not None:
        (table.add_local if command.name == "add-laddr" else table.delete_local)(key, command.local)
    elif key is not None and server is None:
        table.delete_service(key)
    elif key is not None and server is not None:
        if command.name == "add-server":
            table.add_server(key, server)
        elif command.name == "edit-server":
            table.edit_server(key, server)
        else:
            table.delete_server(key, server.address, server.port)


def _is_nothing(key: ServiceKey) -> bool:
    """True for 0.0.0.0:0, which `-Z` cannot tell from no service at all."""
    return not key.fwmark and not key.port and key.address is not None and not any(key.address.packed)
