# SPDX-License-Identifier: GPL-2.0-or-later
"""Decisions of the monitor daemon as functions of events and time: no sockets, no processes, no clock."""
