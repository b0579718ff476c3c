# SPDX-License-Identifier: GPL-2.0-or-later
"""Dependency expressions: `group:service`, `!`, `&&`, `||`, parentheses; side by side means `&&`."""

from __future__ import annotations

from enum import Enum

from bpvs.model.value import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Operation(Enum):
    """How the parts of an expression make its value."""

    ATOM = "atom"
    NOT = "!"
    AND = "&&"
    OR = "||"


@dataclass(frozen=True, slots=True)
class Expression:
    """A tree: an atom names a service (`group:service` with SELF replaced), the others have parts.

    `text` of the outermost one is the expression as written.
    """

    operation: Operation
    parts: tuple[Expression, ...] = ()
    atom: tuple[str, str] | None = None
    text: str = ""

    def atoms(self) -> tuple[tuple[str, str], ...]:
        """Every (group, service) named, from left to right, each once."""
        if self.atom:
            return (self.atom,)
        return tuple(dict.fromkeys(atom for part in self.parts for atom in part.atoms()))

    def value(self, is_ok: Callable[[tuple[str, str]], bool]) -> bool:
        """The truth of it; asks from left to right, and no further than the answer needs."""
        if self.atom:
            return is_ok(self.atom)
        if self.operation is Operation.NOT:
            return not self.parts[0].value(is_ok)
        verdicts = (part.value(is_ok) for part in self.parts)
        return any(verdicts) if self.operation is Operation.OR else all(verdicts)
