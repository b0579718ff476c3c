# SPDX-License-Identifier: GPL-2.0-or-later
"""The tutorial's second half: mon sees a server die, its alert takes it out of the table, and back in when it lives."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bpvs.lab.topology import Tutorial
from bpvs.lab.wait import until
from tests.lab.load import Load
from tests.lab.watched import SECONDS, Watched, outage

pytestmark = pytest.mark.root

VIP, FIRST, SECOND = "192.168.122.53", "192.168.122.50", "192.168.122.51"
CONFIG = (Path(__file__).parents[1] / "golden/mon/01_tutorial/tutorial_verbatim.cf").read_text()
# As the tutorial has it: argument 6 is the host, argument 9 tells an upalert.
ALERT = f"""\
#!/bin/bash
if [ "$9" = "-u" ]; then
    echo "Real Server $6 is UP" >>LOG
    ipvsadm -a -t {VIP}:80 -r "$6" -m
else
    echo "Real Server $6 is DOWN" >>LOG
    ipvsadm -d -t {VIP}:80 -r "$6"
fi
"""
# The tutorial's own places, on top of the machine's directories: nothing of it is left when the daemon has ended.
PLACES = """\
layers={folder}/layers
mount -t tmpfs none $layers
for place in etc usr var; do
    mkdir $layers/$place $layers/$place.work
    mount -t overlay none -o lowerdir=/$place,upperdir=$layers/$place,workdir=$layers/$place.work /$place
done
mkdir -p /etc/mon /usr/lib64/mon/alert.d /usr/lib64/mon/mon.d /var/lib/mon/log.d
cp {folder}/mon.cf /etc/mon/mon.cf
cp {folder}/test.alert /usr/lib64/mon/alert.d/
"""


@pytest.fixture
def balanced(lan: Tutorial) -> Tutorial:
    lines = [f"-A -t {VIP}:80 -s rr", *(f"-a -t {VIP}:80 -r {one} -m" for one in (FIRST, SECOND))]
    lan.director.ipvsadm("-R", stdin="\n".join(lines) + "\n").checked()
    return lan


def alert_script(folder: Path) -> Path:
    """The tutorial's script; returns its log."""
    log = folder / "lvs.log"
    script = folder / "test.alert"
    script.write_text(ALERT.replace("LOG", str(log)))
    script.chmod(0o755)
    return log


def web_server(lan: Tutorial, number: int) -> subprocess.Popen[str]:
    """The web server of a machine."""
    (process,) = (one for one in lan.servers[number].processes if one.poll() is None)
    return process


def die(lan: Tutorial, number: int) -> None:
    process = web_server(lan, number)
    process.kill()
    process.wait()


def live_again(lan: Tutorial, number: int) -> None:
    lan.servers[number].serve(lan.addresses[number])


def test_a_server_dies_and_returns_under_load(balanced: Tutorial, tmp_path: Path) -> None:
    log = alert_script(tmp_path)
    config = CONFIG.replace("interval 5s", "interval 1s").replace("/usr/lib64/mon/alert.d", str(tmp_path))
    for place in ("/etc/mon", "/var/run", "/var/lib/mon/state.d", "/var/lib/mon/log.d", "/usr/lib64/mon/mon.d"):
        config = config.replace(place, str(tmp_path))
    (tmp_path / "mon.cf").write_text(config)
    watched = Watched(balanced.director, tmp_path, "-c", str(tmp_path / "mon.cf"), "-r", "1s")
    watched.start()
    watched.wait_for_checks()
    clients = Load(balanced.director, VIP)
    seen = outage(watched, clients, FIRST, kill=lambda: die(balanced, 0), revive=lambda: live_again(balanced, 0))
    print(seen)
    lines = log.read_text().splitlines()
    assert set(lines[:-1]) == {f"Real Server {FIRST} is DOWN"}
    assert lines[-1] == f"Real Server {FIRST} is UP"
    assert seen.failed_afterwards == 0
    assert watched.stop() == 0


def test_at_the_tutorials_own_paths_word_for_word(balanced: Tutorial, tmp_path: Path) -> None:
    log = alert_script(tmp_path)
    (tmp_path / "mon.cf").write_text(CONFIG)
    (tmp_path / "layers").mkdir()
    watched = Watched(balanced.director, tmp_path, "-r", "1s", shell=PLACES.format(folder=tmp_path))
    watched.start()
    watched.wait_for_checks()
    assert [one["monitor"] for one in watched.health()["services"]] == ["http.monitor"] * 2
    die(balanced, 0)
    until(lambda: FIRST not in watched.weights(), "out of the table", SECONDS)
    assert log.read_text() == f"Real Server {FIRST} is DOWN\n"
    assert balanced.director.curl(VIP).checked().out == f"{SECOND}\n"
    live_again(balanced, 0)
    until(lambda: FIRST in watched.weights(), "back in the table", SECONDS)
    until(lambda: f"{FIRST} is UP" in log.read_text(), "the alert's line", SECONDS)
    assert watched.stop() == 0
    assert not Path("/usr/lib64/mon").exists()
