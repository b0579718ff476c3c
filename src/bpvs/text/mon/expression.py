# SPDX-License-Identifier: GPL-2.0-or-later
"""Dependencies: `SELF:ping && (DNS:dig || DNS2:dig)`. Side by side means `&&`, which binds closer than `||`."""

from __future__ import annotations

import re

from bpvs.model.mon import Expression, Operation
from bpvs.text.mon.errors import Wrong
from bpvs.text.mon.lines import words_of
from bpvs.text.mon.values import TAG

_TOKEN = re.compile(rf"\s*(?:(?P<atom>{TAG.pattern}:{TAG.pattern})|(?P<sign>&&|\|\||[!()]))", re.ASCII)
_RIGHT = "write group:service, joined by &&, || and !, with parentheses where needed"
_DEEPEST = 50  # parentheses and negations within each other


def parse_expression(text: str, group: str) -> Expression:
    """The expression of a service in this group, which SELF stands for; Wrong. The outermost keeps the text."""
    parser = _Parser(_tokens(text), group)
    whole = parser.alternatives(0)
    if parser.peek():
        raise Wrong(f"{text!r} closes a parenthesis that is not open", _RIGHT)
    return Expression(whole.operation, whole.parts, whole.atom, text)


def _tokens(text: str) -> list[str]:
    tokens = []
    position = 0
    while position < len(text.rstrip()):
        token = _TOKEN.match(text, position)
        if token is None:
            rest = words_of(text[position:])[0]
            raise Wrong(f"{rest!r} is no part of a dependency", _RIGHT)
        tokens.append(token["atom"] or token["sign"])
        position = token.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str], group: str) -> None:
        self._tokens = tokens[::-1]
        self._group = group

    def peek(self) -> str:
        return self._tokens[-1] if self._tokens else ""

    def _take(self, sign: str) -> bool:
        if self.peek() != sign:
            return False
        self._tokens.pop()
        return True

    def alternatives(self, depth: int) -> Expression:
        parts = [self._conjunction(depth)]
        while self._take("||"):
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else Expression(Operation.OR, tuple(parts))

    def _conjunction(self, depth: int) -> Expression:
        parts = [self._single(depth)]
        while self._take("&&") or self.peek() not in ("", ")", "||"):
            parts.append(self._single(depth))
        return parts[0] if len(parts) == 1 else Expression(Operation.AND, tuple(parts))

    def _single(self, depth: int) -> Expression:
        if depth > _DEEPEST:
            raise Wrong(f"more than {_DEEPEST} parentheses and negations within each other", _RIGHT)
        if self._take("!"):
            return Expression(Operation.NOT, (self._single(depth + 1),))
        if self._take("("):
            inner = self.alternatives(depth + 1)
            if not self._take(")"):
                raise Wrong("a parenthesis is not closed", _RIGHT)
            return inner
        if ":" not in self.peek():
            found = f"where {self.peek()!r} stands" if self.peek() else "at the end"
            raise Wrong(f"a service is missing {found}", _RIGHT)
        group, _, service = self._tokens.pop().partition(":")
        return Expression(Operation.ATOM, atom=(self._group if group == "SELF" else group, service))
