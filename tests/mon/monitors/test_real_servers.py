# SPDX-License-Identifier: GPL-2.0-or-later
"""The monitors before real servers: Redis, memcached, OpenLDAP, MariaDB, FreeRADIUS, PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bpvs.lab.wait import until
from tests.mon.monitors import real_servers as real
from tests.mon.monitors.servers import check
from tests.mon.monitors.test_tls import AUTHORITY

LOGIN = "--username mon --password s3cret"
TLS = f"--ca {AUTHORITY} --sni localhost"

Rows = Mapping[str, tuple[bool, str]]  # arguments -> is it well, what is said begins with this


def hold(monitor: str, port: int, rows: Rows) -> None:
    said = {}
    for arguments in rows:
        (report,) = check(f"{monitor}.monitor", f"-p {port} {arguments}", real.ADDRESS)
        assert real.PASSWORD not in repr(report)
        said[arguments] = (report.is_ok, report.text[: len(rows[arguments][1])])
    assert said == rows


def test_redis(tmp_path: Path) -> None:
    rows = {
        "": (True, "it wants a password"),
        "--password s3cret": (True, "PONG"),
        f"{LOGIN}": (False, "AUTH: -WRONGPASS"),
        "--username default --password s3cret --role master": (True, "PONG, role master"),
        "--password s3cret --role replica": (False, "its role is master, which is not the one wanted"),
        "--role master": (False, "PING: -NOAUTH"),
    }
    with real.redis(tmp_path, 26379):
        hold("redis", 26379, rows)


def test_a_redis_replica(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    follow = ["--replicaof", real.ADDRESS, "26380", "--masterauth", real.PASSWORD]
    with real.redis(tmp_path, 26380), real.redis(tmp_path / "two", 26381, *follow):
        told = "-p 26381 --password s3cret --role replica"
        text = "PONG, role replica, link to its master up"
        until(lambda: check("redis.monitor", told, real.ADDRESS)[0].text == text, "the replica follows", 30)


def test_memcached(tmp_path: Path) -> None:
    with real.memcached(tmp_path, 21211):
        hold("memcached", 21211, {"": (True, "VERSION 1.")})


def test_openldap(tmp_path: Path) -> None:
    base = "-basedn dc=example,dc=org"
    admin = "--bind-dn cn=admin,dc=example,dc=org"
    rows = {
        "": (True, "1 entry found"),
        base: (True, "1 entry found"),
        f"{base} -filter (cn=R*e) -attribute sn -value Tyler": (True, "1 entry found"),
        f"{base} -filter (|(cn=Rose)(o=*)) --scope sub": (True, "2 entries found"),
        f"{base} -filter (&(objectClass=person)(!(cn=Rose)))": (False, "the search found no entry"),
        f"{base} -filter cn=Rose -attribute sn -value Smith": (False, "cn=Rose,dc=example,dc=org has no sn of"),
        "-basedn dc=nowhere": (False, "search: no such object (32)"),
        f"{admin} --password s3cret {base}": (True, "1 entry found"),
        f"{admin} --password wrong": (False, "bind: invalid credentials (49)"),
        f"--starttls {TLS}": (True, "1 entry found"),
    }
    with real.slapd(tmp_path, 20389):
        hold("ldap", 20389, rows)
        hold("ldap", 20390, {f"--tls {TLS}": (True, "1 entry found")})


def test_mariadb(tmp_path: Path) -> None:
    rows = {
        "": (True, "greeting of "),
        LOGIN: (True, "login to "),
        f"{LOGIN} --tls {TLS}": (True, "login to "),
        f"{LOGIN} --database shop": (True, "login to "),
        f"{LOGIN} --database bare": (False, "no table in database bare"),
        f"{LOGIN} --database none": (False, "error 1044: Access denied"),
        "--username mon --password wrong": (False, "error 1045: Access denied"),
        "--username mon": (False, "error 1045: Access denied"),
    }
    with real.mariadb(tmp_path, 23306):
        hold("mysql", 23306, rows)
        hold("msql-mysql", 23306, {f"--mode mysql {LOGIN} --database shop": (True, "login to ")})


def test_freeradius(tmp_path: Path) -> None:
    rows = {
        "-secret s3cret": (True, "accepted"),
        "-secret s3cret -username mon -password s3cret": (True, "accepted"),
        "-secret s3cret -username mon -password wrong": (False, "rejected"),
        "-secret wrong -t 0.5": (False, "no answer within 0.5 s"),
    }
    with real.freeradius(tmp_path):
        hold("radius", 21812, rows)


def test_postgresql() -> None:
    rows = {
        "": (True, "it takes connections"),
        "--tls": (True, "it takes connections"),
        f"{LOGIN} --database postgres": (True, "login to "),
        f"{LOGIN} --database postgres --tls {TLS}": (True, "login to "),
        f"{LOGIN} --database none": (False, '3D000: database "none" does not exist'),
        "--username mon --password wrong": (False, "28P01: password authentication failed"),
        "--username nobody --password s3cret": (False, "28P01: password authentication failed"),
    }
    with real.postgresql(25432):
        until(lambda: check("postgresql.monitor", "-p 25432", real.ADDRESS)[0].is_ok, "it has started", 30)
        hold("postgresql", 25432, rows)
