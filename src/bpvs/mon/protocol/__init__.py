# SPDX-License-Identifier: GPL-2.0-or-later
"""mon's client protocol: a line in, data lines and a final `NNN text` out, on TCP port 2583."""
