# SPDX-License-Identifier: GPL-2.0-or-later
"""BPVS: a layer-4 load balancer on eBPF that is steered with the commands of the Linux Virtual Server."""

__version__ = "0.1.0"
