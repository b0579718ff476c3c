# SPDX-License-Identifier: GPL-2.0-or-later
"""Pure parsers and printers of the formats that BPVS shares with other programs."""
