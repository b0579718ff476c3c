# SPDX-License-Identifier: GPL-2.0-or-later
"""Benchmarks: what BPVS costs, measured beside the budget. `make bench` runs them."""
