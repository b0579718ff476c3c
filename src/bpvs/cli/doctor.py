# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs doctor`: what this host offers and lacks, each line with its fix."""

from __future__ import annotations

import argparse
import json
import sys

from bpvs.cli.checks import Finding, Level, examine
from bpvs.cli.facts import gather
from bpvs.cli.style import Style, style_for

_SYMBOLS = {Level.GREEN: "✔", Level.YELLOW: "●", Level.RED: "✘"}
_ASCII = {Level.GREEN: "+", Level.YELLOW: "!", Level.RED: "x"}


def main(arguments: list[str]) -> int:
    """Exit code 0 when nothing is red, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="bpvs doctor", description="Tells what this host offers and lacks; changes nothing."
    )
    parser.add_argument("--json", action="store_true", help="the findings as one JSON object")
    options = parser.parse_args(arguments)
    findings = examine(gather())
    sys.stdout.write(as_json(findings) if options.json else as_text(findings, style_for(sys.stdout)))
    return 1 if any(one.level is Level.RED for one in findings) else 0


def as_text(findings: list[Finding], style: Style) -> str:
    """One line per finding, its fix below; the level is a word too where colour cannot tell it."""
    width = max(len(one.subject) for one in findings)
    symbols = _SYMBOLS if style.unicode else _ASCII
    lines: list[str] = []
    for one in findings:
        level = symbols[one.level] if style.colour else f"{symbols[one.level]} {one.level.value:6}"
        lines.append(f"{style.paint(level, one.level.value)} {one.subject:{width}}  {one.text}")
        if one.fix:
            lines.append(" " * (width + (4 if style.colour else 11)) + style.paint(f"fix: {one.fix}", "bold"))
    lines.append(_verdict(findings, style))
    return "\n".join(lines) + "\n"


def _verdict(findings: list[Finding], style: Style) -> str:
    red = sum(one.level is Level.RED for one in findings)
    yellow = sum(one.level is Level.YELLOW for one in findings)
    if red:
        return style.paint(f"BPVS cannot work here until {red} red line{'s are' if red > 1 else ' is'} fixed.", "red")
    if yellow:
        return style.paint(f"BPVS works here; {yellow} yellow line{'s' if yellow > 1 else ''} to know of.", "yellow")
    return style.paint("BPVS works here; all is green.", "green")


def as_json(findings: list[Finding]) -> str:
    """`{"works": bool, "findings": [{"subject", "level", "text", "fix"}, ...]}`, level green, yellow or red."""
    rows = [{"subject": one.subject, "level": one.level.value, "text": one.text, "fix": one.fix} for one in findings]
    works = all(one.level is not Level.RED for one in findings)
    return json.dumps({"works": works, "findings": rows}, indent=2) + "\n"
