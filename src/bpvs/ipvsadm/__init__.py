# SPDX-License-Identifier: GPL-2.0-or-later
"""The drop-in `ipvsadm` command with `ipvsadm-save` and `ipvsadm-restore`.

Nothing is imported here but what every run needs: scripts call these commands in loops, so start-up time counts.
"""

from __future__ import annotations

from bpvs.ipvsadm.entry import main, restore_main, save_main
from bpvs.ipvsadm.run import run

__all__ = ["main", "restore_main", "run", "save_main"]
