# SPDX-License-Identifier: GPL-2.0-or-later
"""What must not harm the daemon: sudden death, a full disk, monitors and alerts that misbehave, great numbers."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.mon.running import Mon

WATCH = """
hostgroup web h1
watch web
    service http
        interval 1s
        monitor {monitor}
        {timeout}
        period
            {every}
            alert {alert}
            upalert {alert}

hostgroup other h2
watch other
    service quick
        interval 1s
        monitor quick.monitor
"""


def configure(
    mon: Mon, monitor: str, *, alert: str = "note.alert", timeout: str = "# no timeout", every: str = "alertevery 1h"
) -> None:
    """A service `web:http` with that monitor and alert, beside `other:quick`, whose monitor does nothing but run."""
    mon.script("mon.d/quick.monitor", "echo run >>$HOME_/runs")
    mon.configure(WATCH.format(monitor=monitor, alert=alert, timeout=timeout, every=every))


def runs(mon: Mon) -> int:
    path = mon.home / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def saved(mon: Mon) -> str:
    """What the state file holds by now."""
    path = mon.home / "state/opstatus"
    return path.read_text() if path.exists() else ""


def check_that_others_go_on(mon: Mon, checks: int = 2) -> None:
    """So many more checks of the other service come, and no zombie stays."""
    before = runs(mon)
    mon.wait_until(lambda: runs(mon) >= before + checks, "more checks of the other service")
    mon.wait_until(lambda: not [child for child in mon.children() if child[0] == "Z"], "the reaping")


def is_running(words: str) -> bool:
    """Whether a process has exactly these words."""
    wanted = words.replace(" ", "\0").encode() + b"\0"
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == wanted:
                return True
        except OSError:
            continue
    return False


class TestKilled:
    """kill -9, and started again."""

    def test_an_outage_goes_on_without_a_second_alert(self, mon: Mon) -> None:
        mon.script("mon.d/file.monitor", "[ ! -e $HOME_/down ] || { echo $1; exit 1; }")
        configure(mon, "file.monitor")
        (mon.home / "down").touch()
        mon.start()
        mon.wait_until(mon.notes, "the alert")
        mon.wait_until(lambda: "alert_sent=1" in saved(mon), "the state on disk")
        mon.end(signal.SIGKILL)
        mon.start()
        assert "opstatus=0" in mon.ask("list opstatus web,http")[0]
        check_that_others_go_on(mon, checks=3)
        assert mon.has_said("failure for web http")
        assert mon.notes() == ["failure web http"]
        (mon.home / "down").unlink()
        mon.wait_until(lambda: mon.notes()[1:] == ["up web http u"], "the upalert")

    def test_an_upalert_that_it_did_not_survive_is_called_again(self, mon: Mon) -> None:
        mon.script("mon.d/file.monitor", "[ ! -e $HOME_/down ] || { echo $1; exit 1; }")
        mon.script(
            "alert.d/slow.alert",
            '[ "$MON_ALERTTYPE" = failure ] || [ -e $HOME_/quick ] || { echo $$ >$HOME_/pid; exec sleep 1003; }\n'
            'echo "told $MON_ALERTTYPE" >>$OUT',
        )
        configure(mon, "file.monitor", alert="slow.alert")
        (mon.home / "down").touch()
        mon.start()
        mon.wait_until(mon.notes, "the alert")
        (mon.home / "down").unlink()
        mon.wait_until(lambda: "telling=up" in saved(mon), "the state on disk")
        mon.end(signal.SIGKILL)
        os.kill(int((mon.home / "pid").read_text()), signal.SIGKILL)
        (mon.home / "quick").touch()
        mon.start()
        mon.wait_until(lambda: mon.notes() == ["told failure", "told up"], "the upalert")
        check_that_others_go_on(mon, checks=3)
        assert mon.notes() == ["told failure", "told up"]

    def test_what_was_acknowledged_and_disabled_stays_so(self, mon: Mon) -> None:
        configure(mon, "bad.monitor", every="# at every check")
        mon.script("mon.d/bad.monitor", "echo $1; exit 1")
        mon.start()
        mon.wait_until(mon.notes, "the alert")
        mon.ask("ack web http known", "disable watch other")
        mon.wait_until(lambda: "known" in saved(mon), "the state on disk")
        mon.wait_until((mon.home / "state/disabled").exists, "the other state on disk")
        mon.end(signal.SIGKILL)
        before = mon.notes()
        mon.start()
        check_that_others_go_on(mon, checks=3)
        assert mon.notes() == before
        assert mon.ask("list disabled")[0] == "watch other"

    def test_a_state_file_that_is_rubbish_is_told_and_left(self, mon: Mon) -> None:
        configure(mon, "quick.monitor")
        (mon.home / "state/opstatus").write_bytes(b"\xff\0 nonsense")
        mon.start()
        assert mon.has_said("err .*opstatus:1: .*; this state is not taken over")
        check_that_others_go_on(mon)


class TestMonitors:
    """Monitors that hang, flood, fork or cannot be executed."""

    def test_one_that_hangs_is_a_failure_and_delays_nothing(self, mon: Mon) -> None:
        mon.script("mon.d/hung.monitor", "trap '' TERM; echo $$ >$HOME_/pid; sleep 1001 & while :; do wait; done")
        configure(mon, "hung.monitor", timeout="timeout 2s")
        mon.start()
        check_that_others_go_on(mon)
        mon.wait_for(r"crit +failure for web http \d+ timeout: ended after 2 s")
        mon.wait_until(lambda: mon.notes() == ["failure web http"], "the alert")
        first = int((mon.home / "pid").read_text())
        mon.wait_until(lambda: int((mon.home / "pid").read_text()) != first, "the next check")
        assert not Path(f"/proc/{first}").exists()
        mon.end()
        assert not is_running("sleep 1001")

    def test_one_that_floods_is_cut(self, mon: Mon) -> None:
        mon.script("mon.d/flood.monitor", "echo h1; head -c 50000000 /dev/zero | tr '\\0' x; exit 1")
        mon.script("alert.d/size.alert", "wc -c >>$OUT")
        configure(mon, "flood.monitor", alert="size.alert")
        mon.start()
        mon.wait_until(mon.notes, "the alert")
        assert mon.notes()[0] == str((1 << 20) + len("\n(output of 50000003 bytes cut here)\n"))
        check_that_others_go_on(mon)
        memory = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{mon.pid}/status").read_text())
        assert memory
        assert int(memory[1]) < 150_000

    def test_one_whose_grandchild_holds_the_pipe_ends_when_it_ends(self, mon: Mon) -> None:
        mon.script("mon.d/forks.monitor", "sleep 1002 & echo $! >>$HOME_/pids; echo h1; exit 1")
        configure(mon, "forks.monitor")
        mon.start()
        try:
            mon.wait_until(lambda: mon.notes() == ["failure web http"], "the alert")
            check_that_others_go_on(mon)
        finally:
            mon.end()
            for pid in (mon.home / "pids").read_text().split():
                os.kill(int(pid), signal.SIGKILL)

    def test_one_that_dies_of_a_signal_is_a_failure(self, mon: Mon) -> None:
        mon.script("mon.d/crash.monitor", "kill -SEGV $$")
        configure(mon, "crash.monitor")
        mon.start()
        mon.wait_for(r"crit +failure for web http \d+ died of SIGSEGV \(signal 11\)")

    @pytest.mark.parametrize("content", ["#!/no/such/interpreter\n", "\x7fELF rubbish"])
    def test_one_that_cannot_be_executed_is_a_failure(self, mon: Mon, content: str) -> None:
        configure(mon, "bad.monitor")
        path = mon.home / "mon.d/bad.monitor"
        path.write_text(content)
        path.chmod(0o755)
        mon.start()
        mon.wait_until(lambda: mon.notes() == ["failure web http"], "the alert")
        check_that_others_go_on(mon)

    def test_one_that_is_missing_is_told_and_not_every_second(self, mon: Mon) -> None:
        configure(mon, "gone.monitor")
        mon.start()
        check_that_others_go_on(mon, checks=4)
        assert mon.log.count("gone.monitor") <= 2


class TestAlerts:
    """Alerts that cannot be executed, hang or fail."""

    def test_one_that_cannot_be_executed_leaves_one_daemon(self, mon: Mon) -> None:
        mon.script("mon.d/bad.monitor", "echo $1; exit 1")
        configure(mon, "bad.monitor", alert="bad.alert", every="# at every check")
        path = mon.home / "alert.d/bad.alert"
        path.write_text("#!/no/such/interpreter\n")
        path.chmod(0o755)
        mon.start()
        mon.wait_until(lambda: mon.log.count("cannot be executed") >= 3, "three alerts")
        assert daemons(mon) == [mon.pid]
        check_that_others_go_on(mon)
        mon.end()
        assert daemons(mon) == []

    def test_an_output_too_large_for_an_environment_reaches_the_alert(self, mon: Mon) -> None:
        mon.script("mon.d/long.monitor", "head -c 300000 /dev/zero | tr '\\0' h; exit 1")
        configure(mon, "long.monitor")
        mon.start()
        mon.wait_until(lambda: mon.notes() == ["failure web http"], "the alert")
        assert daemons(mon) == [mon.pid]

    def test_one_that_hangs_delays_no_check_and_no_other_service(self, mon: Mon) -> None:
        mon.script("mon.d/bad.monitor", "echo run >>$HOME_/bad; echo $1; exit 1")
        mon.script("alert.d/hung.alert", "echo $$ >$HOME_/pid; echo called >>$OUT; exec sleep 1003")
        configure(mon, "bad.monitor", alert="hung.alert", every="# at every check")
        mon.start()
        mon.wait_until(mon.notes, "the alert")
        before = len((mon.home / "bad").read_text())
        mon.wait_until(lambda: len((mon.home / "bad").read_text()) > before + 8, "more checks of the service")
        assert mon.notes() == ["called"]  # the next ones wait for it
        check_that_others_go_on(mon)
        mon.end(signal.SIGKILL)
        os.kill(int((mon.home / "pid").read_text()), signal.SIGKILL)

    def test_an_up_is_carried_out_behind_a_slow_failure(self, mon: Mon) -> None:
        mon.script("mon.d/file.monitor", "[ ! -e $HOME_/down ] || { echo $1; exit 1; }")
        mon.script(
            "alert.d/slow.alert", 'echo "begin $MON_ALERTTYPE" >>$OUT; sleep 3; echo "end $MON_ALERTTYPE" >>$OUT'
        )
        configure(mon, "file.monitor", alert="slow.alert")
        (mon.home / "down").touch()
        mon.start()
        mon.wait_until(mon.notes, "the alert")
        (mon.home / "down").unlink()
        mon.wait_for("calling upalert")
        assert mon.end() == 0  # which waits for both
        assert mon.notes() == ["begin failure", "end failure", "begin up", "end up"]


@pytest.mark.root
def test_a_full_disk_is_told_once_and_checks_go_on(mon: Mon) -> None:
    configure(mon, "bad.monitor", every="# at every check")
    mon.script("mon.d/bad.monitor", "echo $1; exit 1")
    state = mon.home / "state"
    mount = f'mount -t tmpfs -o size=64k none {state} && exec "$@"'
    mon.start(within=["unshare", "--mount", "sh", "-c", mount, "sh"])
    inside = Path(f"/proc/{mon.pid}/root{state}")  # the mount is the daemon's alone
    mon.wait_until((inside / "opstatus").exists, "the state on disk")
    with (inside / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(b"x" * 4096)
    mon.wait_for(f"err +{state}/opstatus: cannot be written: No space left on device")
    before = mon.notes()
    mon.wait_until(lambda: len(mon.notes()) > len(before) + 2, "more alerts")
    assert mon.log.count("No space left") == 1
    (inside / "ballast").unlink()
    mon.wait_for("state/opstatus: is written again")
    assert sorted(path.name for path in inside.iterdir()) == ["opstatus"]


def test_ten_thousand_services_are_checked_while_clients_are_answered(mon: Mon) -> None:
    number = 10_000
    groups = [
        f"watch g{one}\n service s\n  interval 30s\n  monitor file.monitor {mon.out} ;;\n" for one in range(number)
    ]
    mon.configure("randstart = 5s\n" + "\n".join(groups))
    mon.start()
    assert mon.log.count("there is no hostgroup") == 100
    mon.wait_for("9900 more like these: `mon --check` shows them all")
    mon.wait_until(lambda: "opstatus=1" in mon.ask("list opstatus g77")[0], "one of them")
    mon.wait_until(lambda: saved(mon).count("\top_status=1\t") == number, "the state")
    mon.end(signal.SIGKILL)
    mon.start("-S")
    assert all(" opstatus=1 " in line for line in mon.ask("list opstatus")[:number])


def daemons(mon: Mon) -> list[int]:
    """The processes that were started with this configuration."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if str(mon.home / "mon.cf").encode() in words:
            found.append(int(path.parent.name))
    return found
