# SPDX-License-Identifier: GPL-2.0-or-later
"""Dependencies as written: how they group, and the sentence for each mistake."""

from __future__ import annotations

import pytest

from bpvs.model.mon import Expression, Operation
from bpvs.text.mon.errors import Wrong
from bpvs.text.mon.expression import parse_expression


def shape(expression: Expression) -> str:
    """With every parenthesis."""
    if expression.atom:
        return ":".join(expression.atom)
    if expression.operation is Operation.NOT:
        return f"!{shape(expression.parts[0])}"
    return f"({f' {expression.operation.value} '.join(shape(part) for part in expression.parts)})"


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("a:x", "a:x"),
        ("SELF:x && SELFISH:y", "(G:x && SELFISH:y)"),
        ("a:x b:y", "(a:x && b:y)"),
        ("a:x b:y && c:z", "(a:x && b:y && c:z)"),
        ("a:x || b:y && c:z", "(a:x || (b:y && c:z))"),
        ("a:x || b:y c:z", "(a:x || (b:y && c:z))"),
        ("(a:x || b:y) && c:z", "((a:x || b:y) && c:z)"),
        ("! a:x && b:y", "(!a:x && b:y)"),
        ("!(a:x || b:y)c:z", "(!(a:x || b:y) && c:z)"),
        ("!!a:x", "!!a:x"),
        ("((a:x))", "a:x"),
        ("a-1.b:x_2&&b:y||c:z", "((a-1.b:x_2 && b:y) || c:z)"),
    ],
)
def test_grouping(text: str, grouped: str) -> None:
    expression = parse_expression(text, "G")
    assert shape(expression) == grouped
    assert expression.text == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a service is missing at the end"),
        ("a:x &&", "a service is missing at the end"),
        ("|| a:x", "a service is missing where '||' stands"),
        ("a:x || && b:y", "a service is missing where '&&' stands"),
        ("(a:x", "a parenthesis is not closed"),
        ("a:x)", "closes a parenthesis that is not open"),
        ("a", "'a' is no part of a dependency"),
        ("a:", "'a:' is no part of a dependency"),
        ("a:x && (time > 5)", "'time' is no part of a dependency"),
        ("a:x and b:y", "'and' is no part of a dependency"),
        ("a:x & b:y", "'&' is no part of a dependency"),
        ("(" * 60 + "a:x" + ")" * 60, "more than 50 parentheses"),
        ("!" * 100_000 + "a:x", "more than 50 parentheses"),
    ],
)
def test_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(Wrong, match="write group:service, joined by") as caught:
        parse_expression(text, "G")
    assert says in str(caught.value)
