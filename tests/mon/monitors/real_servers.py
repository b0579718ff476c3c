# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers, installed or as tools/real_servers unpacked them, each for the time of a `with` block."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from bpvs.lab.wait import until
from tests.mon.monitors.test_tls import FOLDER

ROOT = Path(__file__).parents[3] / "build" / "servers"
# An address for each process that runs tests, so that ports can be fixed: most servers cannot choose a free one.
ADDRESS = f"127.{64 + (os.getpid() >> 16) % 64}.{(os.getpid() >> 8) % 256}.{os.getpid() % 256}"
IS_ROOT = os.geteuid() == 0
PASSWORD = "s3cret"  # noqa: S105 - of servers that live for a test
_LONG = 60.0

_SLAPD = """
include {schema}/core.schema
modulepath {modules}
moduleload back_mdb
TLSCertificateFile {certificates}/server.pem
TLSCertificateKeyFile {certificates}/key.pem
database mdb
suffix "dc=example,dc=org"
rootdn "cn=admin,dc=example,dc=org"
rootpw s3cret
directory {folder}/data
"""
_ENTRIES = """dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example

dn: cn=Rose,dc=example,dc=org
objectClass: person
cn: Rose
sn: Tyler
"""
_RADIUSD = """
libdir = {libraries}
logdir = {folder}
run_dir = {folder}
pidfile = {folder}/pid
log {{
  destination = stdout
}}
security {{
  status_server = yes
}}
thread pool {{
  start_servers = 1
  max_servers = 2
}}
client test {{
  ipaddr = 127.0.0.0/8
  secret = s3cret
  require_message_authenticator = yes
}}
modules {{
  pap {{
  }}
}}
server default {{
  listen {{
    type = auth
    ipaddr = {address}
    port = 21812
  }}
  authorize {{
    if (&User-Name == "mon") {{
      update control {{
        Cleartext-Password := "s3cret"
      }}
    }}
    pap
  }}
  authenticate {{
    Auth-Type PAP {{
      pap
    }}
  }}
}}
"""
_SQL = """CREATE DATABASE shop;
CREATE DATABASE bare;
CREATE TABLE shop.sales (number int);
CREATE USER mon@'%' IDENTIFIED BY 's3cret';
GRANT ALL ON shop.* TO mon@'%';
GRANT ALL ON bare.* TO mon@'%';
"""


def find(name: str) -> Path:
    """The program of that name; the test is skipped if there is none."""
    folders = [*os.environ["PATH"].split(":"), "/usr/sbin", str(ROOT / "usr/sbin"), str(ROOT / "usr/bin")]
    found = shutil.which(name, path=":".join([*folders, *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]))
    if found is None:
        pytest.skip(f"{name} is neither installed nor in build/servers: run tools/real_servers")
    return Path(found)


def base_of(program: Path) -> Path:
    """What the paths of the program's package begin with."""
    return ROOT if ROOT in program.parents else Path("/")


def environment(program: Path) -> dict[str, str]:
    """For a program that may have been unpacked."""
    folders = sorted((*ROOT.glob("usr/lib/*-linux-*"), *ROOT.glob("lib/*-linux-*"), ROOT / "usr/lib/freeradius"))
    return (
        {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, folders))} if base_of(program) == ROOT else {**os.environ}
    )


@contextmanager
def running(
    words: Sequence[str], folder: Path, port: int, program: Path | None = None, *, user: int = 0
) -> Iterator[None]:
    """A server in the foreground, from when its TCP port is open (0: from its start)."""
    path = program or Path(words[0])
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            words,
            executable=path,
            env=environment(path),
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user or None,
        )
    try:
        until(lambda: server.poll() is not None or not port or _is_open(port), f"{path.name} listens", _LONG)
        assert server.poll() is None, log.read_text()
        yield
    finally:
        server.terminate()
        server.wait(_LONG)


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((ADDRESS, port)) == 0


@contextmanager
def redis(folder: Path, port: int, *more: str) -> Iterator[None]:
    """Redis, which asks for PASSWORD."""
    program = find("redis-check-rdb")  # the same program: it goes by its name
    words = ["redis-server", "--bind", ADDRESS, "--port", str(port), "--save", "", "--requirepass", PASSWORD]
    words += ["--repl-diskless-sync-delay", "0", *more]
    with running(words, folder, port, program):
        yield


@contextmanager
def memcached(folder: Path, port: int) -> Iterator[None]:
    """memcached."""
    words = [str(find("memcached")), "-l", ADDRESS, "-p", str(port), "-U", "0", *(["-u", "root"] if IS_ROOT else [])]
    with running(words, folder, port):
        yield


@contextmanager
def slapd(folder: Path, port: int) -> Iterator[None]:
    """OpenLDAP with dc=example,dc=org and Rose in it; in TLS at the next port."""
    program = find("slapd")
    base = base_of(program)
    (folder / "data").mkdir()
    facts = {
        "schema": base / "etc/ldap/schema",
        "modules": base / "usr/lib/ldap",
        "certificates": FOLDER,
        "folder": folder,
    }
    configuration = folder / "slapd.conf"
    configuration.write_text(_SLAPD.format_map(facts))
    add = [str(program.with_name("slapadd")), "-f", str(configuration)]
    subprocess.run(add, input=_ENTRIES.encode(), env=environment(program), check=True, capture_output=True)
    places = f"ldap://{ADDRESS}:{port} ldaps://{ADDRESS}:{port + 1}"
    with running([str(program), "-d", "0", "-f", str(configuration), "-h", places], folder, port):
        yield


@contextmanager
def mariadb(folder: Path, port: int) -> Iterator[None]:
    """MariaDB with the databases shop, which has a table, and bare, and the user mon."""
    program = find("mariadbd")
    share = base_of(program) / "usr/share/mysql"
    data = folder / "data"
    data.mkdir()
    words = [str(program), "--no-defaults", f"--datadir={data}", f"--lc-messages-dir={share}"]
    words += ["--user=root"] if IS_ROOT else []
    tables = b"".join((share / f"mysql_{part}.sql").read_bytes() for part in ("system_tables", "system_tables_data"))
    start = b"CREATE DATABASE mysql;\nUSE mysql;\n" + tables
    done = subprocess.run(
        [*words, "--bootstrap"], input=start, env=environment(program), check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    (folder / "init.sql").write_text(_SQL)
    words += [f"--bind-address={ADDRESS}", f"--port={port}", f"--socket={folder}/s", f"--init-file={folder}/init.sql"]
    words += [f"--ssl-cert={FOLDER}/server.pem", f"--ssl-key={FOLDER}/key.pem"]
    with running(words, folder, port):
        yield


@contextmanager
def freeradius(folder: Path) -> Iterator[None]:
    """FreeRADIUS at port 21812, with the user mon."""
    program = find("freeradius")
    base = base_of(program)
    facts = {"libraries": base / "usr/lib/freeradius", "folder": folder, "address": ADDRESS}
    (folder / "radiusd.conf").write_text(_RADIUSD.format_map(facts))
    dictionaries = base / "usr/share/freeradius"
    words = [str(program), "-f", "-l", "stdout", "-d", str(folder), "-D", str(dictionaries), "-n", "radiusd"]
    with running(words, folder, 0):
        until(lambda: "Ready to process" in (folder / "log").read_text(), "freeradius listens", _LONG)
        yield


@contextmanager
def postgresql(port: int) -> Iterator[None]:
    """PostgreSQL with the user mon, who logs in by SCRAM. It has a folder of its own, for it does not run as root."""
    program = find("postgres")
    nobody = 65534 if IS_ROOT else 0
    with tempfile.TemporaryDirectory(prefix="bpvs-postgresql-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        data, password = folder / "data", folder / "password"
        data.mkdir()
        password.write_text(PASSWORD)
        words = [str(program.with_name("initdb")), "-D", str(data), "-U", "mon", f"--pwfile={password}", "--no-sync"]
        _give(data, nobody)
        subprocess.run([*words, "-A", "scram-sha-256"], user=nobody or None, cwd=data, check=True, capture_output=True)
        for file in ("server.pem", "key.pem"):
            shutil.copy(FOLDER / file, data)
            (data / file).chmod(0o600)
            _give(data / file, nobody)
        words = [str(program), "-D", str(data), "-h", ADDRESS, "-p", str(port), "-k", "", "-F", "-c", "jit=off"]
        words += ["-c", "ssl=on", "-c", f"ssl_cert_file={data}/server.pem", "-c", f"ssl_key_file={data}/key.pem"]
        with running(words, folder, port, user=nobody):
            yield


def _give(path: Path, user: int) -> None:
    if user:
        os.chown(path, user, user)
