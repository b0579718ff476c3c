# SPDX-License-Identifier: GPL-2.0-or-later
"""What BPVS asks the kernel's network: links, addresses, namespaces, settings. The only place that knows netlink."""
