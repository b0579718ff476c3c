# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m bpvs.cli` is the `bpvs` command where no script is installed."""

from __future__ import annotations

import sys

from bpvs.cli import main

sys.exit(main())
