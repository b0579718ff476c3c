# SPDX-License-Identifier: GPL-2.0-or-later
"""`-R`: lines of commands, carried out as one change."""

from __future__ import annotations

from bpvs.ipvsadm.session import BROKEN_PIPE, INTRODUCING, changing, exit_code
from bpvs.model import NotBuilt, TableError
from bpvs.text.command import parse_command, restore_words
from bpvs.text.errors import NotACommand, UsageError

TYPE_CHECKING = False  # spelt out, because importing typing costs milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpvs.ipvsadm.ports import DirectorPort
    from bpvs.ipvsadm.session import Session
    from bpvs.model import Table

Line = tuple[int, list[str]]  # number, from 1, and words


class _Stop(Exception):
    """A line ends the run."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Restore:
    """Runs of `-R` with the same options: "atomic", "dry-run"."""

    def __init__(self, session: Session, director: DirectorPort, options: frozenset[str] = frozenset()) -> None:
        self._session = session
        self._director = director
        self._is_atomic = "atomic" in options
        self._is_rehearsal = "dry-run" in options

    def run(self, lines: Iterable[str], clear: bool = False) -> int:
        """Carry out the lines and return the exit code; `clear` empties the table first.

        A line that the table or popt refuses is reported and the next one follows; any other mistake ends the run, and
        what came before it is published. The exit code is that of the last line. Atomic: any mistake ends the run and
        nothing is published; the message names the line.
        """
        work = [(number, words) for number, line in enumerate(lines, 1) if (words := restore_words(line))]
        if not work and not clear:
            return 0
        if self._is_atomic:
            return self._all_or_nothing(work)
        code = 0
        with changing(self._director, self._is_rehearsal) as table:
            if clear:
                table.clear()
            try:
                for _, words in work:
                    code = self._line(words, table)
            except _Stop as stop:
                code = stop.code
        self._session.remark(table)
        return code

    def _all_or_nothing(self, work: list[Line]) -> int:
        try:
            with changing(self._director, self._is_rehearsal) as table:
                for number, words in work:
                    self._line_or_none(number, words, table)
        except _Stop as stop:
            return stop.code
        self._session.remark(table)
        return 0

    def _line_or_none(self, number: int, words: list[str], table: Table) -> None:
        try:
            self._carry_out(words, table)
        except (UsageError, TableError, NotBuilt) as error:
            self._session.complain(f"line {number}: {error}")
            raise _Stop(exit_code(error)) from None

    def _line(self, words: list[str], table: Table) -> int:
        try:
            if self._carry_out(words, table) in INTRODUCING:
                raise _Stop(0)
        except (UsageError, TableError, NotBuilt) as error:
            self._session.complain(error)
            code = exit_code(error)
            if isinstance(error, UsageError) and error.stops_restore:
                raise _Stop(code) from None
            return code
        except BrokenPipeError:
            raise _Stop(BROKEN_PIPE) from None
        return 0

    def _carry_out(self, words: list[str], table: Table) -> str:
        command = parse_command(words, self._session.program, self._session.resolver)
        if command.name == "restore":
            raise NotACommand(self._session.program)
        if "dry-run" in command.given:
            raise UsageError("--dry-run goes with -R itself, not with one of its lines")
        if not self._session.only_prints(command, self._director, table):
            self._session.change(command, self._director, table, self._is_rehearsal)
        return command.name
