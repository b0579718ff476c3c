# SPDX-License-Identifier: GPL-2.0-or-later
"""How an alert is put into words: in one line, and for people who read a letter."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from bpvs.mon.core.values import NO_SUMMARY
from bpvs.text.mon.histories import ALERT_WORDS

if TYPE_CHECKING:
    from bpvs.mon.alerts.calling import Calling

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def one_line(text: str) -> str:
    """The text without line ends and other control characters: fit for a header, a log, a field."""
    return _CONTROL.sub(" ", text).strip()


def headline(calling: Calling, subject: str | None = None) -> str:
    """`ALERT group/service: summary (Sun Nov 22 19:58:42)`; `subject` takes the place of the summary."""
    summary = one_line(calling.summary if subject is None else subject) or NO_SUMMARY
    word, key = ALERT_WORDS[calling.kind].upper(), calling.key
    return f"{word} {key.group}/{key.service}: {summary} ({local_time(calling.epoch)})"


def local_time(epoch: int) -> str:
    """As in mon's own texts: `Sun Nov 22 19:58:42`."""
    return time.strftime("%a %b %e %H:%M:%S", time.localtime(epoch))
