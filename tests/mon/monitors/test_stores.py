# SPDX-License-Identifier: GPL-2.0-or-later
"""mysql, postgresql, redis, memcached and ldap before servers that are made of bytes, most of them sick."""

from __future__ import annotations

import pytest

from bpvs.text.errors import UsageError
from tests.mon.monitors.scripts import turns
from tests.mon.monitors.servers import Serve, check, greeting, hang, refusing, serving

LOGIN = ["--username", "mon", "--password", "s3cret"]


def _packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes((number,)) + payload


def _hello(plugin: bytes) -> bytes:
    flags = b"\x00\x82" + b"\x2d\x02\x00" + b"\x08\x00" + b"\x15" + bytes(10)
    return _packet(0, b"\x0a8.0.39\0\x08\0\0\0" + b"saltsalt\0" + flags + b"saltsaltsalt\0" + plugin + b"\0")


SHA2, NATIVE = _hello(b"caching_sha2_password"), _hello(b"mysql_native_password")
DENIED = b"\xff\x15\x04#28000Access denied"
TO_NATIVE = b"\xfemysql_native_password\0" + b"pepper" * 3 + b"ab\0"
AUTH_OK, READY = b"R\0\0\0\x08\0\0\0\0", b"Z\0\0\0\5I"
VERSION = b"S\0\0\0\x18server_version\x0017.1\0"


def _refusal(state: bytes, text: bytes) -> bytes:
    body = b"SFATAL\0C" + state + b"\0M" + text + b"\0\0"
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body


BIND_OK = bytes.fromhex("300c 020102 61070a0100 0400 0400")
ENTRY = bytes.fromhex("301b 020103 6416 0404 636e3d61 300e 300c 0402 736e 3106 0404") + b"Rose"
DONE = bytes.fromhex("300c 020103 65070a0100 0400 0400")

# Monitor, server, arguments, is it well, what is said.
ROWS: dict[str, tuple[str, Serve, list[str], bool, str]] = {
    "mysql, fast": (
        "mysql",
        turns(SHA2, _packet(2, b"\1\3") + _packet(3, b"\0"), speaks_first=True),
        LOGIN,
        True,
        "login to 8.0.39",
    ),
    "mysql, another plugin": (
        "mysql",
        turns(SHA2, _packet(2, TO_NATIVE), _packet(4, b"\0"), speaks_first=True),
        LOGIN,
        True,
        "login to 8.0.39",
    ),
    "mysql, the password in clear": (
        "mysql",
        turns(SHA2, _packet(2, b"\1\4"), speaks_first=True),
        LOGIN,
        False,
        "it wants the password itself, which is sent in TLS only: give --tls",
    ),
    "mysql, denied": (
        "mysql",
        turns(NATIVE, _packet(2, DENIED), speaks_first=True),
        LOGIN,
        False,
        "error 1045: Access denied",
    ),
    "mysql, full": ("mysql", greeting(_packet(0, b"\xff\x10\x04Too many")), [], False, "error 1040: Too many"),
    "mysql, no TLS": ("mysql", greeting(NATIVE, hang), [*LOGIN, "--tls"], False, "it does not offer TLS"),
    "mysql, a strange plugin": (
        "mysql",
        turns(NATIVE, _packet(2, b"\xfedialog\0x\0"), speaks_first=True),
        LOGIN,
        False,
        "the server wants the login 'dialog': mysql_native_password and caching_sha2_password are spoken",
    ),
    "mysql, no end": (
        "mysql",
        turns(NATIVE, *[_packet(2, TO_NATIVE)] * 9, speaks_first=True),
        LOGIN,
        False,
        "its login has no end after 5 turns",
    ),
    "mysql, half a greeting": (
        "mysql",
        greeting(NATIVE[:20]),
        [],
        False,
        "closed early, after '8.0.39?????salt'",
    ),
    "mysql, an empty greeting": ("mysql", greeting(_packet(0, b"")), [], False, "an empty packet"),
    "mysql is http": (
        "mysql",
        greeting(b"HTTP/1.1 400 Bad\r\n"),
        [],
        False,
        "a packet of 5526600 bytes: more than 65536, or no MySQL",
    ),
    "mysql, silent": ("mysql", hang, ["-t", "0.4"], False, "no answer within 0.4 s"),
    "postgresql, trusting": (
        "postgresql",
        turns(AUTH_OK + VERSION + READY),
        ["--username", "mon"],
        True,
        "login to 17.1",
    ),
    "postgresql, no such role": (
        "postgresql",
        turns(_refusal(b"28000", b"who?")),
        [],
        True,
        "it takes connections (28000: who?)",
    ),
    "postgresql, starting": ("postgresql", turns(_refusal(b"57P03", b"starting")), [], False, "57P03: starting"),
    "postgresql, full": ("postgresql", turns(_refusal(b"53300", b"too many")), [], False, "53300: too many"),
    "postgresql, a wrong password": (
        "postgresql",
        turns(b"R\0\0\0\x0c\0\0\0\5salt", _refusal(b"28P01", b"wrong")),
        LOGIN,
        False,
        "28P01: wrong",
    ),
    "postgresql, Kerberos": (
        "postgresql",
        turns(b"R\0\0\0\x08\0\0\0\7"),
        LOGIN,
        False,
        "it wants a login that is not spoken (kind 7): password, MD5 and SCRAM-SHA-256 are",
    ),
    "postgresql, never ready": ("postgresql", turns(AUTH_OK), LOGIN, False, "closed early, without a word"),
    "postgresql, no TLS": ("postgresql", turns(b"N"), ["--tls"], False, "it does not offer TLS"),
    "postgresql is another": (
        "postgresql",
        turns(b"\0\0\0\0\0\0"),
        [],
        False,
        "the answer is not PostgreSQL's protocol 3",
    ),
    "postgresql is http": (
        "postgresql",
        turns(b"HTTP/1.1 400 Bad\r\n"),
        [],
        False,
        "a message of 1414811691 bytes: more than 65536, or no PostgreSQL",
    ),
    "postgresql, silent": ("postgresql", hang, ["-t", "0.4"], False, "no answer within 0.4 s"),
    "redis": ("redis", turns(b"+PONG\r\n"), [], True, "PONG"),
    "redis wants a password": ("redis", turns(b"-NOAUTH no\r\n"), [], True, "it wants a password"),
    "redis, loading": ("redis", turns(b"-LOADING data\r\n"), [], False, "PING: -LOADING data"),
    "redis, a wrong password": ("redis", turns(b"-WRONGPASS no\r\n"), LOGIN, False, "AUTH: -WRONGPASS no"),
    "redis, a replica": (
        "redis",
        turns(b"+PONG\r\n", b"$42\r\nrole:slave\r\nmaster_link_status:down\r\nx:y\r\n\r\n"),
        ["--role", "replica"],
        True,
        "PONG, role replica, link to its master down",
    ),
    "redis, not the master": (
        "redis",
        turns(b"+PONG\r\n", b"$10\r\nrole:slave\r\n"),
        ["--role=master"],
        False,
        "its role is replica, which is not the one wanted",
    ),
    "redis, endless facts": (
        "redis",
        turns(b"+PONG\r\n", b"$99999999\r\n"),
        ["--role=master"],
        False,
        "INFO: $99999999",
    ),
    "redis closes": ("redis", turns(), [], False, "closed early, without a word"),
    "memcached": ("memcached", turns(b"VERSION 1.6\r\n"), [], True, "VERSION 1.6"),
    "memcached, sick": ("memcached", turns(b"SERVER_ERROR memory\r\n"), [], False, "version: SERVER_ERROR memory"),
    "memcached, silent": ("memcached", hang, ["-t", "0.4"], False, "no answer within 0.4 s"),
    "ldap": ("ldap", turns(BIND_OK, ENTRY + DONE), [], True, "1 entry found"),
    "ldap, the value": (
        "ldap",
        turns(BIND_OK, ENTRY + DONE),
        ["-attribute", "SN", "-value", "Rose"],
        True,
        "1 entry found",
    ),
    "ldap, no such attribute": (
        "ldap",
        turns(BIND_OK, ENTRY + DONE),
        ["-attribute", "mail"],
        False,
        "cn=a has no attribute mail",
    ),
    "ldap, another value": (
        "ldap",
        turns(BIND_OK, ENTRY + DONE),
        ["-attribute=sn", "-value=x"],
        False,
        "cn=a has no sn of the value wanted",
    ),
    "ldap, nothing found": ("ldap", turns(BIND_OK, DONE), [], False, "the search found no entry"),
    "ldap, refused": (
        "ldap",
        turns(bytes.fromhex("300e 020102 61090a0131 0400 0402 6e6f")),
        LOGIN,
        False,
        "bind: invalid credentials (49): no",
    ),
    "ldap says farewell": (
        "ldap",
        turns(bytes.fromhex("300c 020100 78070a0134 0400 0400")),
        [],
        False,
        "it disconnects: unavailable (52)",
    ),
    "ldap, to another request": ("ldap", turns(DONE), [], False, "the answer is to another request"),
    "ldap, half an entry": ("ldap", turns(BIND_OK, b"\x30\x1bxy"), [], False, "closed early, after 'xy'"),
    "ldap is http": ("ldap", turns(b"HTTP/1.1 400 Bad\r\n" * 9), [], False, "the answer is not LDAP"),
    "ldap, endless": (
        "ldap",
        turns(b"0\x84\xff\xff\xff\xff"),
        [],
        False,
        "a message of 4294967295 bytes: more than 1048576, or no LDAP",
    ),
    "ldap, no length": ("ldap", turns(b"0\x80aaaa"), [], False, "an element without a usable length"),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_server(name: str) -> None:
    monitor, serve, more, is_ok, said = ROWS[name]
    with serving(serve) as port:
        (report,) = check(f"{monitor}.monitor", ["-p", str(port), *more])
    assert (report.text, report.is_ok) == (said, is_ok)
    assert "s3cret" not in repr(report)


@pytest.mark.parametrize("monitor", ["mysql", "postgresql", "redis", "memcached", "ldap"])
def test_refused(monitor: str) -> None:
    with refusing() as port:
        (report,) = check(f"{monitor}.monitor", f"-p {port}")
    assert (report.text, report.is_ok) == ("connection refused", False)


@pytest.mark.parametrize(
    ("monitor", "arguments", "sentence"),
    [
        ("mysql", "--password s3cret", "want --username"),
        ("mysql", "-ps3cret", "-p: no port, 1 to 65535 or a name in /etc/services; passwords stand behind --password"),
        ("msql-mysql", "", "it wants --mode mysql"),
        ("msql-mysql", "--mode msql", "'msql' is not spoken: mysql is"),
        ("postgresql", "--password s3cret", "a password wants --username"),
        ("redis", "--role boss", "'boss' is no role: right would be master or replica"),
        ("redis", "--password s3cret --password-file /x", "exclude each other"),
        ("ldap", "-filter (a=", "-filter: a ')' is missing"),
        ("ldap", "-filter (a=1)", "-filter wants -basedn"),
        ("ldap", "-value x", "-value wants -attribute"),
        ("ldap", "--scope all", "'all' is not among base one sub"),
        ("ldap", "--tls --starttls", "exclude each other"),
    ],
)
def test_wrong_arguments(monitor: str, arguments: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        check(f"{monitor}.monitor", arguments)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"{monitor}.monitor: ")
    assert "s3cret" not in str(caught.value)
