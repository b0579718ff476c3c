# SPDX-License-Identifier: GPL-2.0-or-later
"""The texts of the monitor daemon, parsed and printed: its files, its datagrams, the lines of its protocol."""
