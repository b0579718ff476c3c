# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of namespaces with real stacks, for the demo and the tests; the machine's own network stays untouched."""
