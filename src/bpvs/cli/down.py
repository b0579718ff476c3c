# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs down`: detach and unload the data plane."""

from __future__ import annotations

import argparse
import sys

from bpvs.director import Director


def main(arguments: list[str]) -> int:
    """Exit code 0, also when nothing was loaded."""
    parser = argparse.ArgumentParser(
        prog="bpvs down",
        description="Detaches the programs of this network namespace and removes programs, maps, qdiscs and settings "
        "of ours. The table and all connections are gone: `ipvsadm -S -n >FILE` before keeps the table.",
    )
    parser.parse_args(arguments)
    was_loaded = Director().down()
    sys.stdout.write("unloaded\n" if was_loaded else "nothing was loaded\n")
    return 0
