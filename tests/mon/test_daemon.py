# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon from its start to its end: files, signals, resets, state, options."""

from __future__ import annotations

import os
import signal
import socket
import subprocess

import pytest

from tests.mon.running import PATIENCE, Mon

# `web` is down while the file `down` is there.
CONFIGURATION = """
hostgroup web 10.0.0.1

watch web
    service http
        interval 1s
        monitor file.monitor
        period
            alertevery 1h
            alert note.alert
            upalert note.alert
"""


@pytest.fixture
def web(mon: Mon) -> Mon:
    """A service that is down while the file `down` is there; nothing is started."""
    mon.script("mon.d/file.monitor", "echo run >>$HOME_/runs; [ ! -e $HOME_/down ] || { echo $1; exit 1; }")
    mon.configure(CONFIGURATION)
    return mon


def runs(mon: Mon) -> int:
    path = mon.home / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_a_service_fails_and_comes_back(web: Mon) -> None:
    web.start()
    (web.home / "down").touch()
    web.wait_until(lambda: web.notes() == ["failure web http"], "the alert")
    assert "opstatus=0" in web.ask("list opstatus")[0]
    (web.home / "down").unlink()
    web.wait_until(lambda: web.notes() == ["failure web http", "up web http u"], "the upalert")
    web.wait_for("up alert note.alert for web/http: done")
    assert web.end() == 0
    assert web.log.splitlines()[-1].endswith("caught TERM signal, exiting")


def test_pid_file_and_ports_are_there_while_it_lives(web: Mon) -> None:
    web.start()
    path = web.home / "mon.pid"
    assert path.read_text() == f"{web.pid}\n"
    assert web.ask("list pids")[0] == f"server {web.pid}"
    second = subprocess.run(web.command(), capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert second.stderr == f"mon: {path}: another mon runs as process {web.pid}: end that one first\n"
    assert web.end(signal.SIGINT) == 0
    assert not path.exists()


def test_a_busy_port_is_told_before_anything_has_happened(web: Mon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = subprocess.run(web.command("-p", str(port)), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"mon: could not bind TCP port {port} of 127.0.0.1: ")
    assert not (web.home / "mon.pid").exists()


def test_a_broken_configuration_is_not_started_with(web: Mon) -> None:
    path = web.home / "mon.cf"
    path.write_text(path.read_text().replace("interval 1s", "interval 5"))
    number = path.read_text().splitlines().index("        interval 5") + 1
    done = subprocess.run(web.command(), capture_output=True, text=True, check=False)
    assert done.returncode == 255
    assert done.stderr == f"mon: mon.cf:{number}: interval: '5' is no time: write 5s, 2m, 1.5h or 1d\n"
    checked = subprocess.run(web.command("--check"), capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (1, done.stderr)


def test_check_tells_what_there_is_and_what_is_missing(web: Mon) -> None:
    (web.home / "alert.d/note.alert").unlink()
    done = subprocess.run(web.command("--check"), capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "1 group, 1 service\nweb: 10.0.0.1\n" in done.stdout
    wanted = f"missing: note.alert: no executable of this name in {web.home}/alert.d, and no built-in one\n"
    assert done.stdout.endswith(wanted)


def test_wrong_words_of_a_built_in_are_told_before_a_server_is_dead(web: Mon) -> None:
    path = web.home / "mon.cf"
    path.write_text(path.read_text().replace("upalert note.alert", "upalert lvs.alert --quiese"))
    done = subprocess.run(web.command("--check"), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "\nwrong: web:http: lvs.alert: unrecognized arguments: --quiese; usage: lvs.alert" in done.stdout
    web.start()
    assert web.has_said("err +web:http: lvs.alert: unrecognized arguments: --quiese")


def test_a_hang_up_reads_the_file_again_and_keeps_what_is_known(web: Mon) -> None:
    (web.home / "down").touch()
    web.start()
    web.wait_until(web.notes, "the alert")
    path = web.home / "mon.cf"
    path.write_text(f"{path.read_text()}\nwatch other\n service x\n  interval 1s\n  monitor gone.monitor\n")
    web.send(signal.SIGHUP)
    web.wait_for("gone.monitor: no executable of this name")
    before = runs(web)
    web.wait_until(lambda: runs(web) > before + 1, "two more checks")
    assert web.notes() == ["failure web http"]
    assert [line.split()[:2] for line in web.ask("list opstatus")[:2]] == [
        ["group=web", "service=http"],
        ["group=other", "service=x"],
    ]


def test_a_broken_file_at_a_reset_changes_nothing_and_is_told(web: Mon) -> None:
    web.start()
    path = web.home / "mon.cf"
    path.write_text(path.read_text().replace("period", "perioden"))
    web.send(signal.SIGHUP)
    web.wait_for(r"err +mon\.cf:\d+: .*perioden.*; the configuration that was read before stays in force")
    before = runs(web)
    web.wait_until(lambda: runs(web) > before + 1, "two more checks")
    assert web.ask("reset")[0].endswith("failed, error in config file")
    assert web.ask("test config")[-2].startswith("520")


def test_what_the_command_line_says_holds_after_a_reset_too(web: Mon) -> None:
    path = web.home / "mon.cf"
    path.write_text(f"histlength = 11\n{path.read_text()}")
    web.start("-k", "99")
    assert web.ask("get maxkeep")[0] == "maxkeep = 99"
    web.ask("reset")
    assert web.ask("get maxkeep")[0] == "maxkeep = 99"


def test_state_goes_on_after_an_end(web: Mon) -> None:
    (web.home / "down").touch()
    web.start()
    web.wait_until(web.notes, "the alert")
    web.ask("disable service web http", "ack web http known")
    assert web.end() == 0
    assert (web.home / "state/disabled").read_text() == "disable service web http\n"
    web.start()
    assert "web service http" in web.ask("list disabled")[0].replace("watch ", "")
    assert "known" in web.ask("list opstatus")[0]
    web.end()
    web.start("-l", "none")
    assert "known" not in web.ask("list opstatus")[0]


def test_the_client_command_term_ends_it(web: Mon) -> None:
    web.start()
    assert web.ask("term")[0] == "220 terminating server"
    assert web.exit_code() == 0
    assert not (web.home / "mon.pid").exists()


def test_stopped_at_the_start_until_a_client_says_start(web: Mon) -> None:
    web.start("-S")
    assert web.ask("list state")[0].startswith("scheduler stopped since")
    assert runs(web) == 0
    web.ask("start")
    web.wait_until(lambda: runs(web), "a check")


def test_logs_in_mons_formats(web: Mon) -> None:
    path = web.home / "mon.cf"
    path.write_text(f"dtlogging = yes\nhistoricfile = hist\n{path.read_text()}")
    (web.home / "down").touch()
    web.start()
    web.wait_until(web.notes, "the alert")
    (web.home / "down").unlink()
    web.wait_until(lambda: len(web.notes()) == 2, "the upalert")
    web.wait_until(lambda: web.ask("list dtlog")[0].split()[1:3] == ["web", "http"], "the downtime log")
    assert web.ask("list dtlog")[0].endswith(" 1 10.0.0.1")
    web.end()
    words = [line.split()[:3] for line in (web.home / "logs/hist").read_text().splitlines()]
    assert words == [["alert", "web", "http"], ["upalert", "web", "http"]]
    web.start("-S")
    assert [line.partition("\\20")[0] for line in web.ask("list alerthist")[:2]] == ["alert", "upalert"]


def test_systemd_is_told_what_goes_on(web: Mon, monkeypatch: pytest.MonkeyPatch) -> None:
    web.script("mon.d/file.monitor", "env >$HOME_/env.new; mv $HOME_/env.new $HOME_/env")
    address = web.home / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(address))
        systemd.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        web.start()
        assert systemd.recv(999) == b"READY=1\nSTATUS=watching 1 services"
        assert systemd.recv(999) == systemd.recv(999) == b"WATCHDOG=1"
        web.send(signal.SIGHUP)
        said = {systemd.recv(999).partition(b"\n")[0] for _ in range(20)}
        assert said == {b"WATCHDOG=1", b"RELOADING=1", b"READY=1"}
        web.wait_until((web.home / "env").exists, "a check")
        assert "NOTIFY" not in (web.home / "env").read_text()
        web.send(signal.SIGTERM)
        while systemd.recv(999) != b"STOPPING=1":
            pass
        assert web.exit_code() == 0


def test_in_the_background_the_command_returns_when_it_is_ready(web: Mon) -> None:
    errors = web.home / "errors"
    path = web.home / "mon.cf"
    path.write_text(f"monerrfile = {errors}\n{path.read_text()}")
    began = subprocess.run(web.command("-f"), capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert began.stderr == ""
    pid = int((web.home / "mon.pid").read_text())
    try:
        assert os.getsid(pid) not in (pid, os.getsid(0))
        assert [os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)] == ["/dev/null", *[str(errors)] * 2]
        web.wait_until(lambda: runs(web), "a check")
        second = subprocess.run(web.command("-f"), capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert (second.returncode, "another mon runs" in second.stderr) == (1, True)
    finally:
        os.kill(pid, signal.SIGTERM)
    web.wait_until(lambda: not (web.home / "mon.pid").exists(), "the end")


def test_directories_are_made_or_missed(web: Mon) -> None:
    path = web.home / "mon.cf"
    (web.home / "auth.cf").unlink()
    (web.home / "file").touch()
    text = (
        path.read_text().replace("statedir = state", "statedir = new/state").replace("logdir = logs", "logdir = file")
    )
    path.write_text(f"alertdir = gone\n{text.replace('alertdir = ', '# ')}")
    web.start()
    assert (web.home / "new/state").is_dir()
    assert web.has_said(f"warning logdir: {web.home}/file cannot be made: File exists")
    assert web.has_said(f"warning alertdir: {web.home}/gone is no directory")
    assert web.has_said(r"warning .*auth.cf: cannot be read: No such file or directory; nobody may use protected")
    assert web.ask("reset")[0] == "520 command could not be executed, unknown command"
