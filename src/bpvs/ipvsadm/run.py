# SPDX-License-Identifier: GPL-2.0-or-later
"""One run of ipvsadm: from the words on the command line to output and exit code."""

from __future__ import annotations

from errno import ENOSPC

from bpvs.ipvsadm.session import BROKEN_PIPE, INTRODUCING, Session, exit_code
from bpvs.model import BpvsError, DirectorError
from bpvs.text.command import first_command, parse_command

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from bpvs.ipvsadm.ports import DirectorFactory, DirectorPort
    from bpvs.text.names import Resolver

INITIALISATION_FAILED = 2
NOT_WRITTEN = 1
INTERRUPTED = 130  # what a shell reports of a program that SIGINT ended


def run(
    argv: list[str],
    prog: str,
    stdin: TextIO,
    stdout: TextIO,
    stderr: TextIO,
    director_factory: DirectorFactory,
    resolver: Resolver,
) -> int:
    """Run `prog argv...` and return its exit code.

    `stdin` is read by `-R` only. The director is made first, as the original talks to the kernel before it looks at
    the options, except for help and version, which ask nothing of it.
    """
    session = Session(prog, stdout, stderr, resolver)

    def work() -> int:
        if first_command(argv) in INTRODUCING:
            session.introduce(parse_command(argv, prog, resolver))
            return 0
        return _with_director(session, director_factory, argv, stdin)

    return _guarded(session, work)


def run_restore(
    stdin: TextIO, stdout: TextIO, stderr: TextIO, director_factory: DirectorFactory, resolver: Resolver
) -> int:
    """Run `ipvsadm-restore`: `-C` and then `-R` of the lines that do not begin with `#`, as one change."""
    session = Session("ipvsadm", stdout, stderr, resolver)

    def work() -> int:
        director = _director(session, director_factory)
        if director is None:
            return INITIALISATION_FAILED
        from bpvs.ipvsadm.restore import Restore

        lines = [line for line in stdin if not line.startswith("#")]
        return Restore(session, director).run(lines, clear=True)

    return _guarded(session, work)


def _with_director(session: Session, factory: DirectorFactory, argv: list[str], stdin: TextIO) -> int:
    director = _director(session, factory)
    if director is None:
        return INITIALISATION_FAILED
    command = parse_command(argv, session.program, session.resolver)
    if command.name == "restore":
        from bpvs.ipvsadm.restore import Restore

        # Read to the end before taking the lock: what feeds this pipe may be an ipvsadm that waits for it.
        return Restore(session, director, command.given).run(list(stdin))
    session.execute(command, director)
    return 0


def _director(session: Session, factory: DirectorFactory) -> DirectorPort | None:
    try:
        return factory()
    except PermissionError:
        session.complain("Can't initialize ipvs: Permission denied (you must be root)")
        session.complain("Are you sure that IP Virtual Server is built in the kernel or as module?")
    except DirectorError as error:
        session.complain(f"Can't initialize ipvs: {error}")
    return None


def _guarded(session: Session, work: Callable[[], int]) -> int:
    """Turn what may go wrong on the way into a line on stderr and an exit code."""
    try:
        try:
            return work()
        except BpvsError as error:
            session.complain(error)
            return exit_code(error)
        finally:
            session.stdout.flush()
    except BrokenPipeError:
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        if error.errno != ENOSPC:
            raise
        session.stderr.write(f"cannot write to standard output: {error.strerror}\n")
        return NOT_WRITTEN
