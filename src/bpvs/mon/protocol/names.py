# SPDX-License-Identifier: GPL-2.0-or-later
"""Names and values as clients write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpvs.model.mon import Key
from bpvs.mon.protocol.reply import Refused
from bpvs.text.mon.errors import Wrong
from bpvs.text.mon.escape import unescape
from bpvs.text.mon.words import split_words

if TYPE_CHECKING:
    from bpvs.mon.protocol.session import Session


def known_key(session: Session, words: list[str], otherwise: str) -> Key:
    """The service named by the first two words; Refused with that text when there is none."""
    key = Key(*words[:2]) if len(words) > 1 else None
    if key is None or key not in session.office.engine.config.services:
        raise Refused(otherwise)
    return key


def first_value(text: str) -> str:
    r"""The first word of a text, as a shell would split it; `\20` in single quotes is a blank."""
    try:
        words = split_words(text)
    except Wrong as error:
        raise Refused(str(error)) from error
    return unescape(words[0]) if words else ""


def after(text: str, words: int) -> str:
    """What is left of a text behind so many words and the blanks after them."""
    parts = text.split(None, words)
    return parts[words] if len(parts) > words else ""
