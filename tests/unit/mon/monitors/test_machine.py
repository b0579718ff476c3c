# SPDX-License-Identifier: GPL-2.0-or-later
"""What monitors of this machine read: processes, mounts, times and sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bpvs.mon.monitors.file_change import Known, load, save
from bpvs.mon.monitors.freespace import mount_points
from bpvs.mon.monitors.loadavg import load as load_of
from bpvs.mon.monitors.loadavg import memory
from bpvs.mon.monitors.process import names, running
from bpvs.mon.monitors.quantity import duration, size


@pytest.mark.parametrize(
    ("stat", "line", "found"),
    [
        ("1 (nginx) S 0", b"nginx: master process /usr/sbin/nginx\0", {"nginx"}),
        ("1 (bash) S 0", b"-bash\0", {"bash"}),
        ("1 (a_long_command_) R 0", b"/opt/a_long_command_line\0-x\0", {"a_long_command_", "a_long_command_line"}),
        ("1 (shop.py) S 0", b"/usr/bin/python3.11\0/srv/shop.py\0-v\0", {"shop.py", "python3.11"}),
        ("1 (perl) S 0", b"perl\0-e\0sleep\0", {"perl"}),
        ("1 (odd) name)) S 0", b"odd\0", {"odd) name)", "odd"}),
        ("2 (kthreadd) S 0", b"", {"kthreadd"}),
        ("1 (gone) Z 0", b"", set()),
        ("", b"", set()),
    ],
)
def test_names_of_a_process(stat: str, line: bytes, found: set[str]) -> None:
    assert names(stat, line) == found


def test_processes_that_end_while_they_are_looked_at(tmp_path: Path) -> None:
    for name in ("1", "2", "self"):
        (tmp_path / name).mkdir()
    (tmp_path / "1" / "stat").write_text("1 (init) S 0")
    (tmp_path / "1" / "cmdline").write_bytes(b"/sbin/init\0")
    assert list(running(tmp_path)) == ["init"]


def test_mount_points() -> None:
    text = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:5 / /mnt/a\\040b rw,nosuid shared:1 - tmpfs none rw\nbroken\n"
    assert mount_points(text) == {"/", "/mnt/a b"}


def test_load_and_memory(tmp_path: Path) -> None:
    (tmp_path / "loadavg").write_text("4.00 2.50 1.00 1/200 4711\n")
    facts = {"MemTotal": 900, "MemAvailable": 500, "SwapTotal": 100, "SwapFree": 0}
    (tmp_path / "meminfo").write_text("".join(f"{name}:  {kib} kB\n" for name, kib in facts.items()))
    assert load_of(tmp_path, [4, 3, 2]).is_ok
    assert load_of(tmp_path, [4, 2, 2]).text == "4 2.5 1, limits 4 2 2"
    assert not load_of(tmp_path, [4, 2, 2]).is_ok
    assert memory(tmp_path, 50).is_ok
    assert not memory(tmp_path, 49.9).is_ok
    assert memory(tmp_path, 49.9).text == "50 % of memory and swap in use, limit 49.9 %"


def test_times_and_sizes() -> None:
    assert [duration(text) for text in ("90", "90s", "10m", "1.5h", "2D")] == [90, 90, 600, 5400, 172800]
    assert [size(text) for text in ("100", "10K", "5m", "1.5G")] == [100, 10240, 5 << 20, 3 << 29]
    assert (size("7", 1024), size("7K", 1024)) == (7168, 7168)
    for text in ("", "-1", "1y", "1.h", "\u0661", "1e3", "9" * 16):
        with pytest.raises(ValueError, match="is no time"):
            duration(text)
        with pytest.raises(ValueError, match="is no size"):
            size(text)


def test_what_is_known_of_files_as_mon_writes_it(tmp_path: Path) -> None:
    store = tmp_path / "_etc"
    assert load(store) == {}
    store.write_text("1700000000 0cc175b9c0f1b6a831c399e269772661 /etc/a b\nbroken\n17 x\n")
    assert load(store) == {"/etc/a b": Known(1700000000, "0cc175b9c0f1b6a831c399e269772661")}
    save(store, {"/b": Known(2, "y"), "/a": Known(1, "x")})
    assert store.read_text() == "1 x /a\n2 y /b\n"
    assert [path.name for path in tmp_path.iterdir()] == ["_etc"]
