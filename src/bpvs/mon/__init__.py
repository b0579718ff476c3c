# SPDX-License-Identifier: GPL-2.0-or-later
"""The monitor daemon `mon`: `core` decides (pure), `monitors` look, `alerts` act, the rest connects them."""
