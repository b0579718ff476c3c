# SPDX-License-Identifier: GPL-2.0-or-later
"""What every test obeys: a test marked `root` or `oracle` is skipped, with its reason, where that is not given."""

from __future__ import annotations

import os
import platform
import signal

import hypothesis
import pytest

# A busy machine is no failure: how long an example may take is what pytest's timeout says.
hypothesis.settings.register_profile("bpvs", deadline=None)
hypothesis.settings.load_profile("bpvs")


# In the background of a script SIGINT is ignored, and programs that the tests interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    return f"kernel {platform.release()}, {'root' if os.geteuid() == 0 else 'not root'}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("oracle") and os.environ.get("ORACLE") != "1":
        pytest.skip("starts a virtual machine, a matter of minutes: run `make oracle`")
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root for BPF and network namespaces: run it with sudo")
