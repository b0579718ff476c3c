# SPDX-License-Identifier: GPL-2.0-or-later
"""The `name = value` lines of a mon.cf, as a table."""

from __future__ import annotations

import re

from bpvs.model.mon import Behaviour
from bpvs.text.mon.calendar import parse_calendar
from bpvs.text.mon.errors import Wrong
from bpvs.text.mon.keywords import Keyword
from bpvs.text.mon.lines import words_of
from bpvs.text.mon.values import choice, neither, number, port, positive_seconds, seconds, yes

BEHAVIOURS: dict[str, object] = {behaviour.value: behaviour for behaviour in Behaviour}
AUTH_TYPES = ("getpwnam", "shadow", "userfile", "pam", "trustlocal")
MALFORMED = "malformed {name} '{text}' (the specified time period is not valid as per Time::Period::inPeriod)"
UNACK_SUMMARY = "invalid unack_summary value '{text}' (syntax: unack_summary [0|1|y|yes|n|no])"
_BAD_TIME = "bad value '{text}' for {name} option (syntax: {name} = timeval)"
_FACILITIES = (
    *("auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news", "syslog", "user", "uucp"),
    *(f"local{number}" for number in range(8)),
)  # syslog(3)
_TEXTS = (
    *("alertdir", "mondir", "basedir", "cfbasedir", "statedir", "logdir"),
    *("authfile", "userfile", "pidfile", "historicfile", "monerrfile", "dtlogfile"),
    *("serverbind", "trapbind", "pamservice", "monremote"),
)


def _words(text: str) -> tuple[str, ...]:
    return tuple(words_of(text))


def _unknown_types(text: str) -> str:
    unknown = [word for word in words_of(text) if word not in AUTH_TYPES]
    return f"nobody is let in by {', '.join(unknown)}; known are {', '.join(AUTH_TYPES)}" if unknown else ""


def client_pattern(text: str) -> re.Pattern[str]:
    """The whole address of a client, as `clientallow` describes it; Wrong.

    It is a regular expression in which a dot means a dot, unless `[` or a backslash stands before it; `.*` is a dot and
    whatever follows, as in 192.168.*.
    """
    try:
        return re.compile(re.sub(r"(?<![\[\\])\.(\*?)", lambda dot: rf"\.{'.*' if dot[1] else ''}", text))
    except re.error as error:
        raise Wrong(f"{text!r} is no pattern ({error})", "write addresses as 192.168.122.* or 10.0.0.[1-5]") from None


def _client_patterns(text: str) -> tuple[str, ...]:
    words = _words(text)
    for word in words:
        client_pattern(word)
    return words


def _unack_summary(text: str) -> bool:
    if not text:
        raise Wrong("it wants a value", "write yes or no")
    return yes(text)


SETTINGS = {
    **{name: Keyword(name, str) for name in _TEXTS},
    "authtype": Keyword("authtype", _words, odd=_unknown_types),
    "serverport": Keyword("serverport", port),
    "trapport": Keyword("trapport", port),
    "clientallow": Keyword("clientallow", _client_patterns),
    "maxprocs": Keyword("maxprocs", number),
    "histlength": Keyword("histlength", number),
    "historictime": Keyword("historictime", seconds, _BAD_TIME),
    "randstart": Keyword("randstart", seconds, _BAD_TIME),
    "cltimeout": Keyword(
        "cltimeout", positive_seconds, "bad value '{text}' for cltimeout command (syntax: cltimeout = secs)"
    ),
    "dtlogging": Keyword("dtlogging", yes, odd=neither),
    "dep_recur_limit": Keyword("dep_recur_limit", number),
    "startupalerts_on_reset": Keyword("startupalerts_on_reset", yes, odd=neither),
    "exclude_period": Keyword("exclude_period", parse_calendar, MALFORMED),
    "syslog_facility": Keyword("syslog_facility", choice({name: name for name in _FACILITIES})),
    "monitor_timeout": Keyword("monitor_timeout", positive_seconds),
    "alert_timeout": Keyword("alert_timeout", positive_seconds),
}
# These are defaults of the services below them; the fields are those of Service.
SERVICE_DEFAULTS = {
    "dep_behavior": Keyword("depend_behaviour", choice(BEHAVIOURS), "unknown dependency behavior '{text}'"),
    "dep_memory": Keyword("depend_memory", positive_seconds, _BAD_TIME),
    "unack_summary": Keyword("unack_summary", _unack_summary, UNACK_SUMMARY, neither),
}
