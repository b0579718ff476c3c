# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's own clients (moncmd, monshow, monfailures, Mon::Client) speak to the daemon."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mon.real import Program, perl_script, real_program
from tests.mon.running import Mon

CONFIG = r"""
authtype = userfile
userfile = users
dtlogging = yes

hostgroup web w1.example w2.example

hostgroup dns d1.example

alias SHOP
The web shop
watch web service http items w1.example
url http://shop.example/

view left web

watch web
  service http
    description Web "main" farm
    interval 1h
    monitor told.monitor
    period wd {Sun-Sat}
      alert note.alert dn
      upalert note.alert up
      ackalert note.alert acked
  service disk
    description traps alone
    period LABEL: wd {Sun-Sat}
      alert note.alert dn
      upalert note.alert up

watch dns
  service dig
    interval 1h
    monitor told.monitor
    depend web:http
    period
      alert note.alert dn
"""
# alice's password is `alicepw`, trapper's `trappw`.
USERS = "alice:alZf3JKL3RJmk\n"
TRAPPER = "tpXOGnTcd7hjs"


@pytest.fixture
def served(mon: Mon) -> Mon:
    """A daemon whose monitor says what the file `verdict` says."""
    mon.script("mon.d/told.monitor", "cat $HOME_/verdict; grep -q . $HOME_/verdict && exit 1 || exit 0")
    (mon.home / "verdict").write_text("")
    (mon.home / "users").write_text(USERS)
    mon.configure(CONFIG)
    with (mon.home / "auth.cf").open("a") as file:
        file.write(f"trap section\n127.0.0.1 trapper {TRAPPER}\n")
    mon.start()
    return mon


def run(program: Program, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The program's end; its output is text."""
    return subprocess.run(
        [*program.argv, *arguments],
        env=program.env,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def check_now(mon: Mon, group: str, service: str, verdict: str) -> None:
    """The monitor runs and says this."""
    (mon.home / "verdict").write_text(verdict)
    mon.ask(f"test monitor {group} {service}")
    status = 0 if verdict else 1
    mon.wait_until(
        lambda: f" opstatus={status} " in mon.ask(f"list opstatus {group},{service}")[0], f"{service} is {status}"
    )


# moncmd


def test_moncmd_gives_a_command_and_many(served: Mon, tmp_path: Path) -> None:
    moncmd = real_program("moncmd")
    done = run(moncmd, "-s", "127.0.0.1", "-p", str(served.ports[0]), "list", "watch")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[:4] == ["web http", "web disk", "dns dig", "220 list watch completed"]
    batch = tmp_path / "batch"
    batch.write_text("list state\ndisable watch web\nlist disabled\nlist nonsense\n")
    done = run(moncmd, "-s", "127.0.0.1", "-p", str(served.ports[0]), "-f", str(batch))
    words = [line for line in done.stdout.splitlines() if line]
    assert "scheduler running" in words
    assert "220 disable watch completed" in words
    assert "watch web" in words
    assert "520 unknown list command" in words


def test_moncmd_logs_in(served: Mon) -> None:
    moncmd = real_program("moncmd")
    (served.home / "auth.cf").write_text("list: all\nreload: all\ndisable: alice\n")
    served.ask("reload auth")
    # The first line behind the credentials is lost in moncmd.
    stdin = "PASS=alicepw\n\ndisable watch web\n"
    port = str(served.ports[0])
    done = run(moncmd, "-a", "-l", "alice", "-s", "127.0.0.1", "-p", port, stdin=stdin)
    assert "220 disable watch completed" in done.stdout, done
    assert "watch web" in served.ask("list disabled")
    assert "alicepw" not in served.log


# monshow, monfailures


def test_monshow_shows_failures_and_all(served: Mon) -> None:
    monshow = real_program("monshow")
    check_now(served, "web", "http", "w2.example\ndetail\n")
    where = ["--server", "127.0.0.1", "--port", str(served.ports[0])]
    brief = run(monshow, *where)
    assert brief.returncode == 0, brief
    assert "web" in brief.stdout
    assert "w2.example" in brief.stdout
    full = run(monshow, *where, "--full")
    assert [word for word in ("web", "http", "disk", "dns", "dig") if word not in full.stdout] == []
    detail = run(monshow, *where, "--detail", "web,http")
    assert 'Web "main" farm' in detail.stdout
    assert "w1.example" in detail.stdout
    failures = run(real_program("monfailures"), *where)
    assert "w2.example" in failures.stdout, failures


# Mon::Client


class Client:
    """Mon::Client in a process of its own."""

    def __init__(self, mon: Mon) -> None:
        program = perl_script(Path(__file__).parent / "client.pl")
        self._process = subprocess.Popen(
            [*program.argv, *map(str, mon.ports)],
            env=program.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __call__(self, method: str, *arguments: object) -> Any:
        """What the method returned: its only value, or the list of them; AssertionError with what it complains of."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps([method, *arguments]), file=self._process.stdin, flush=True)
        said = json.loads(self._process.stdout.readline())
        assert not said["error"], f"{method}: {said['error']}"
        return said["result"][0] if len(said["result"]) == 1 else said["result"]

    def close(self) -> None:
        self._process.communicate(timeout=30)


@pytest.fixture
def client(served: Mon) -> Iterator[Client]:
    made = Client(served)
    made("connect")
    yield made
    made.close()


def pairs(result: list[Any]) -> dict[str, Any]:
    """A hash, which Perl returns as a list."""
    return dict(zip(result[::2], result[1::2], strict=True))


def test_the_client_library_looks(served: Mon, client: Client) -> None:
    assert client("version") == "9745"
    assert client("list_watch") == [["web", "http"], ["web", "disk"], ["dns", "dig"]]
    assert client("list_group", "web") == ["w1.example", "w2.example"]
    assert pairs(client("list_descriptions"))["web"]["http"] == 'Web "main" farm'
    assert pairs(client("list_deps"))["dns"]["dig"]["components"] == ["web:http"]
    assert client("list_state")[0] == 1
    assert client("list_views") == "left"
    assert "SHOP" in pairs(client("list_aliases"))
    assert client("list_pids")


def test_the_client_library_follows_an_outage(served: Mon, client: Client) -> None:
    check_now(served, "web", "http", 'w2.example\nit\'s \\ "down"\n')
    status = pairs(client("list_opstatus"))
    http = status["web"]["http"]
    assert (http["opstatus"], http["last_summary"], http["exitval"]) == ("0", "w2.example", "1")
    assert pairs(client("list_failures")).keys() == {"web"}
    client("login")
    client("ack", "web", "http", 'I know: it\'s \\ "down"')
    served.wait_until(lambda: "ack web http a acked" in served.notes(), "the ackalert")
    assert (
        served.ask("get web http _ack_comment")[0]
        == r"web http _ack_comment='alice:\20I\20know:\20it\27s\20\\\20\22down\22'"
    )
    assert len(client("list_alerthist")) >= 1
    check_now(served, "web", "http", "")
    assert client("list_dtlog")
    assert pairs(client("list_successes"))["web"]["http"]["opstatus"] == "1"


def test_the_client_library_changes(served: Mon, client: Client) -> None:
    client("login")
    client("disable_watch", "web")
    client("disable_service", "dns", "dig")
    client("disable_host", "w1.example")
    assert served.ask("list disabled")[:-2] == ["group web: w1.example", "watch web", "watch dns service dig"]
    client("enable_watch", "web")
    client("enable_service", "dns", "dig")
    client("enable_host", "w1.example")
    assert served.ask("list disabled")[:-2] == []
    client("set_maxkeep", 5)
    assert served.ask("get maxkeep")[0] == "maxkeep = 5"
    client("set", "web", "http", "description", "a 'new' one")
    assert client("get", "web", "http", "description") == "'a 'new' one'"  # with the line's own quotes
    client("stop")
    assert served.ask("list state")[0].startswith("scheduler stopped since ")
    client("start")
    client("test", "alert", "web", "http", 1, "wd {Sun-Sat}")
    served.wait_until(lambda: "test web http dn" in " ".join(served.notes()), "the alert")
    assert client("test_config")[0] == 1
    client("savestate", "all")
    client("loadstate", "all")
    client("reset", "keepstate")
    client("setview", "left")
    client("reload", "auth")
    client("term")
    assert served.exit_code() == 0


def test_the_client_library_sends_traps(served: Mon, client: Client) -> None:
    trap = {
        "group": "web",
        "service": "disk",
        "retval": 1,
        "opstatus": "fail",
        "summary": "a b'c",
        "detail": "d1\nd2 \\ back",
    }
    assert client("send_trap", *[part for pair in trap.items() for part in pair]) == "sent"
    served.wait_until(lambda: "trap web disk T dn" in served.notes(), "the alert")
    assert served.ask("get web disk _last_summary")[0] == r"web disk _last_summary='a\20b\27c'"
    assert served.ask("get web disk _last_detail")[0] == r"web disk _last_detail='\0ad1\0ad2\20\\\20back'"
    assert "trappw" not in served.log
