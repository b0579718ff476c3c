# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m bpvs.mon` is `mon`."""

from __future__ import annotations

import sys

from bpvs.mon.main import main

sys.exit(main())
