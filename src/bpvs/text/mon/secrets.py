# SPDX-License-Identifier: GPL-2.0-or-later
"""What follows options that are called after passwords: hidden wherever others than the file's readers look."""

from __future__ import annotations

import re

_NAME = r"-{1,2}(?:pass(?:word)?|secret|token|header)"
_SECRET = re.compile(rf"-P|{_NAME}")
# As monitors have it, where -P may be anything; a value may be quoted.
_SECRET_TEXT = re.compile(rf"""((?:^|\s){_NAME}(?:=|\s+))(?:(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+)""")
_HIDDEN = "***"


def without_secrets(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """An alert's own arguments as logs and clients may see them: without what `-P`, `--password` ... name."""
    shown: list[str] = []
    for last, word in zip(("", *arguments), arguments, strict=False):
        name, equals, _ = word.partition("=")
        if _SECRET.fullmatch(last):
            shown.append(_HIDDEN)
        else:
            shown.append(f"{name}={_HIDDEN}" if equals and _SECRET.fullmatch(name) else word)
    return tuple(shown)


def shown_line(text: str) -> str:
    """The words of a monitor, as the file has them, without what `--password` ... name.

    >>> shown_line("ldap.monitor --username x --password 'a b' -port 1")
    'ldap.monitor --username x --password *** -port 1'
    """
    return _SECRET_TEXT.sub(rf"\1{_HIDDEN}", text)
