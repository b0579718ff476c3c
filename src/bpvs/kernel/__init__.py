# SPDX-License-Identifier: GPL-2.0-or-later
"""The data plane as the kernel holds it: programs, maps, pins. The only place that knows bpf(2) and libbpf."""
