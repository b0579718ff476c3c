# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of ipvsadm, each carried out on a director or on the table of a running change."""

from __future__ import annotations

from bpvs.model import BpvsError, NoSuchService, NotBuilt, ServiceKey, Table
from bpvs.text.errors import NotListed, UsageError

TYPE_CHECKING = False  # spelt out, because importing typing costs milliseconds

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import TextIO

    from bpvs.ipvsadm.ports import DirectorPort
    from bpvs.text.command import Command
    from bpvs.text.names import Resolver

REFUSED = 255
BROKEN_PIPE = 141  # what a shell reports of a program that SIGPIPE ended
INTRODUCING = ("help", "version")
_SHOWING = ("list", "save", "get-laddr")
_NO_DAEMONS = {
    "start-daemon": "--start-daemon: this version of BPVS has no connection synchronisation",
    "stop-daemon": "No daemon is running",
}


class Session:
    """Where a run prints and how it finds names."""

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

    def execute(self, command: Command, director: DirectorPort) -> None:
        """Carry out one command that is not `-R`; BpvsError if it is refused."""
        if self.only_prints(command, director):
            return
        is_rehearsal = "dry-run" in command.given
        with changing(director, is_rehearsal) as table:
            self.change(command, director, table, is_rehearsal)
        self.remark(table)

    def remark(self, table: Table) -> None:
        """Tell what came up when the table was published; all of it is in force."""
        for text in table.remarks:
            self.complain(text)

    def only_prints(self, command: Command, director: DirectorPort, pending: Table | None = None) -> bool:
        """Carry out a command that changes nothing, `pending` being the table of a running change; False for others."""
        if command.name in INTRODUCING:
            self.introduce(command)
        elif command.name in _SHOWING:
            self._show(command, director, pending)
        elif command.name in _NO_DAEMONS:
            raise NotBuilt(_NO_DAEMONS[command.name])
        else:
            return False
        return True

    def change(self, command: Command, director: DirectorPort, table: Table, is_rehearsal: bool) -> None:
        """Change the table as the command says; in a rehearsal, print what that was. TableError, NotBuilt."""
        if not is_rehearsal:
            apply(command, table)
            return
        from bpvs.text.changes import change_lines

        sysctls = {**director.sysctls(), **table.sysctls}
        lines = change_lines(command, table, table.timeouts.over(director.timeouts()), sysctls)
        apply(command, table)
        self.stdout.writelines(f"{line}\n" for line in lines)

    def introduce(self, command: Command) -> None:
        """Print the version, with the help if that was asked for."""
        from bpvs.ipvsadm.help import HELP, VERSION

        self.stdout.write(VERSION if command.name == "version" else VERSION + HELP.format(program=self.program))

    def _show(self, command: Command, director: DirectorPort, pending: Table | None) -> None:
        # Here and not above, because commands that print nothing are run far more often.
        from bpvs.ipvsadm.show import show

        try:
            show(command, director, pending, self.resolver, self.stdout)
        except NoSuchService as error:
            raise NotListed(str(error)) from None


def exit_code(error: BpvsError) -> int:
    """The exit code that goes with a refusal."""
    return error.code if isinstance(error, UsageError) else REFUSED


def changing(director: DirectorPort, is_rehearsal: bool) -> AbstractContextManager[Table]:
    """The table to change, of which nothing comes in a rehearsal."""
    return director.rehearse() if is_rehearsal else director.change()


def apply(command: Command, table: Table) -> None:
    """Carry out a command that changes the table; TableError or NotBuilt if it refuses."""
    key = command.key
    if command.name == "clear":
        table.clear()
    elif command.sysctl is not None:
        table.set_sysctls(dict([command.sysctl]))
    elif command.timeouts is not None:
        table.set_timeouts(command.timeouts)
    elif command.name == "zero":
        table.zero(key)
    elif key is not None:
        _apply_to_service(command, key, table)


def _apply_to_service(command: Command, key: ServiceKey, table: Table) -> None:
    service, server = command.service, command.server
    if service is not None:
        (table.add_service if command.name == "add-service" else table.edit_service)(service)
    elif command.local is not None:
        (table.add_local if command.name == "add-laddr" else table.delete_local)(key, command.local)
    elif server is None:
        table.delete_service(key)
    elif command.name == "add-server":
        table.add_server(key, server)
    elif command.name == "edit-server":
        table.edit_server(key, server)
    else:
        table.delete_server(key, server.address, server.port)
