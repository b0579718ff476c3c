# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs realserver status` for a person."""

from __future__ import annotations

from dataclasses import replace

from bpvs.cli.realserver import describe
from bpvs.cli.style import Style
from bpvs.realserver import Report

PLAIN = Style(colour=False, unicode=False)
REPORT = Report(
    cookie=17,
    folder="/run/bpvs/11_realserver",
    vips=("192.0.2.80", "2001:db8::80"),
    devices=("eth0",),
    gue_port=6080,
    tunnel_from=("10.0.0.0/8",),
    cgroup="",
    toa_from=("::/0",),
    counters={"ended_ipip": 3, "ended_gre": 0, "left_no_vip": 2, "dropped_arp": 1, "toa_learnt": 0},
    warnings=(),
)


def test_what_happened_is_told_by_name() -> None:
    assert describe(REPORT, PLAIN) == (
        "agent           /run/bpvs/11_realserver, network namespace 17\n"
        "addresses       192.0.2.80, 2001:db8::80\n"
        "interfaces      eth0\n"
        "tunnels         IP in IP, GRE, GUE at port 6080, from 10.0.0.0/8\n"
        "TOA in          no cgroup\n"
        "ended           3 ipip\n"
        "left untouched  2 no vip\n"
        "dropped         1 arp\n"
        "TOA             nothing\n"
    )


def test_warnings_come_last_and_toa_names_its_cgroup() -> None:
    told = describe(replace(REPORT, cgroup="/sys/fs/cgroup/web", warnings=("look here",)), PLAIN)
    assert "TOA in          /sys/fs/cgroup/web, from everybody\n" in told
    assert told.endswith("warning  look here\n")
