# SPDX-License-Identifier: GPL-2.0-or-later
"""webhook.alert: the call as JSON, by POST to a URL; mon-alerts(7) names the fields."""

from __future__ import annotations

import argparse
import json
import re
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from bpvs import __version__
from bpvs.mon.alerts.calling import AlertFailed, Options, taken_apart
from bpvs.mon.core.world import named_hosts
from bpvs.mon.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpvs.mon.alerts.calling import Calling
    from bpvs.mon.core.values import CallAlert

PATIENCE = 15.0  # seconds for each step of the conversation
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?)")


async def alert(call: CallAlert) -> str:
    """Posts it, without following redirections; AlertFailed unless the answer is 2xx. No path or header is logged."""
    calling = taken_apart(call)
    found = read(calling.own)
    headers = dict(found.header)
    if found.header_file:
        headers |= await in_thread(lambda: _headers_of(found.header_file))
    body = json.dumps(document(calling, call.environment.get("MON_DESCRIPTION", "")))
    status = await in_thread(lambda: _post(found.url, body.encode(), headers))
    place = f"{found.url.scheme}://{found.url.hostname}"
    if not 200 <= status < 300:
        raise AlertFailed(f"webhook.alert: {place} answered {status}")
    return f"{place} answered {status}"


def read(words: Sequence[str]) -> argparse.Namespace:
    """Its own arguments; AlertFailed."""
    options = Options("webhook.alert")
    options.add_argument("--header", action="append", type=_header, default=[], metavar="NAME:VALUE")
    options.add_argument("--header-file", metavar="FILE")
    options.add_argument("url", type=_url)
    return options.read(words)


def document(calling: Calling, description: str) -> dict[str, object]:
    """What is posted."""
    return {
        "version": 1,
        "type": calling.kind.value,
        "group": calling.key.group,
        "service": calling.key.service,
        "description": description,
        "hosts": list(calling.hosts),
        "failed_hosts": list(named_hosts(calling.summary, calling.hosts)) if calling.is_failure else [],
        "time": calling.epoch,
        "summary": calling.summary,
        "detail": calling.detail,
    }


def _post(url: SplitResult, body: bytes, headers: dict[str, str]) -> int:
    maker = HTTPSConnection if url.scheme == "https" else HTTPConnection
    connection = maker(url.hostname or "", url.port, timeout=PATIENCE)
    own = {"Content-Type": "application/json", "User-Agent": f"bpvs-mon/{__version__}"}
    try:
        connection.request("POST", (url.path or "/") + (f"?{url.query}" if url.query else ""), body, own | headers)
        return connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise AlertFailed(f"webhook.alert: {url.scheme}://{url.hostname}: {error or type(error).__name__}") from error
    finally:
        connection.close()


def _headers_of(path: str) -> dict[str, str]:
    """A header in each line, for what must not stand in mon.cf; blank lines and lines with # do not count."""
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()
        return dict(_parsed(line for line in lines if line.strip() and not line.startswith("#")))
    except (OSError, ValueError, argparse.ArgumentTypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "every line should be a header, as in `Name: value`"
        raise AlertFailed(f"webhook.alert: {path}: {reason}") from error


def _parsed(lines: Iterable[str]) -> list[tuple[str, str]]:
    return [_header(line.strip()) for line in lines]


def _header(text: str) -> tuple[str, str]:
    found = _HEADER.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError("a header is wrong; right would be 'X-Source: mon'")
    return found[1], found[2]


def _url(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        url, port = urlsplit(""), None
    is_plain = text.isascii() and text.isprintable() and " " not in text and url.username is None
    if url.scheme not in ("http", "https") or not url.hostname or port == 0 or not is_plain:
        raise argparse.ArgumentTypeError("the URL is wrong; right would be https://chat.example.org/hooks/1")
    return url
