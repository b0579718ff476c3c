# SPDX-License-Identifier: GPL-2.0-or-later
"""`bpvs mark`: rules that give packets the mark of a service by mark, without netfilter."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from bpvs.director import Director
from bpvs.director.classifier import absent
from bpvs.model import InvalidMarkRule
from bpvs.model.mark_rule import MarkRule
from bpvs.text.mark_rules import OPTIONS, format_ports, make_rule, parse_rule, rule_words
from bpvs.text.names import PROTOCOL_NAMES

_HELP = {
    "dst": ("PREFIX", "the packet's destination, a network or an address"),
    "src": ("PREFIX", "its source; default: any"),
    "proto": ("PROTOCOL", "tcp, udp or sctp; default: any of them"),
    "dport": ("PORTS", "its destination port: 80,443,8000-8100, at most 8 of them; default: any"),
    "in": ("IFACE", "the interface that it came in by; default: any"),
    "mark": ("N", "what it is given, decimal or 0x; 0: nothing, so that no later rule gives it any"),
}


def main(arguments: list[str]) -> int:
    """Exit code 0 when the rules are as wanted."""
    options = _parser().parse_args(arguments)
    director = Director()
    if options.action == "list":
        sys.stdout.write(_as_json(director) if options.json else _as_text(director.mark_rules()))
    elif options.action == "save":
        sys.stdout.writelines(f"{rule_words(rule)}\n" for rule in director.mark_rules())
    elif options.action == "restore":
        rules = list(_read(sys.stdin.read()))
        director.set_mark_rules(lambda _: rules)
    elif options.action == "clear":
        director.set_mark_rules(lambda _: ())
    elif options.action == "add":
        rule, place = _rule(options), options.at
        director.set_mark_rules(lambda rules: _inserted(rules, rule, place))
    elif options.number is not None:
        director.set_mark_rules(lambda rules: _without(rules, options.number))
    else:
        rule = _rule(options)
        director.set_mark_rules(lambda rules: _without(rules, _place(rules, rule)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bpvs mark",
        description="Rules that give packets a firewall mark where they come in, before netfilter; `ipvsadm -A -f N` "
        "makes the service. The first rule that fits a packet counts.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="add a rule behind the others")
    _add_fields(add)
    add.add_argument("--at", type=int, metavar="NUMBER", help="put it in this place instead, 1 for the first")
    show = actions.add_parser("list", help="the rules with their numbers")
    show.add_argument("--json", action="store_true", help="one JSON object")
    delete = actions.add_parser("delete", help="remove a rule, by its number or by the words it was added with")
    _add_fields(delete)
    delete.add_argument("number", nargs="?", type=int, metavar="NUMBER", help="as `list` shows it")
    actions.add_parser("clear", help="remove all rules")
    actions.add_parser("save", help="print the rules, one a line, for `restore`")
    actions.add_parser("restore", help="put the rules of standard input, in place of all others, in force at once")
    return parser


def _add_fields(parser: argparse.ArgumentParser) -> None:
    for name in OPTIONS:
        metavar, text = _HELP[name]
        parser.add_argument(f"--{name}", metavar=metavar, help=text)


def _rule(options: argparse.Namespace) -> MarkRule:
    return make_rule({name: value for name in OPTIONS if (value := getattr(options, name)) is not None})


def _read(text: str) -> list[MarkRule]:
    """The rules of lines; empty ones and those that begin with # are none. InvalidMarkRule with the line's number."""
    rules = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            try:
                rules.append(parse_rule(words))
            except InvalidMarkRule as error:
                raise InvalidMarkRule(f"line {number}: {error}") from error
    return rules


def _inserted(rules: Sequence[MarkRule], rule: MarkRule, place: int | None) -> list[MarkRule]:
    if rule in rules:
        raise InvalidMarkRule(f"there is this rule already, number {rules.index(rule) + 1}")
    if place is not None and not 1 <= place <= len(rules) + 1:
        raise InvalidMarkRule(f"there is no place {place}: 1 to {len(rules) + 1}")
    at = len(rules) if place is None else place - 1
    return [*rules[:at], rule, *rules[at:]]


def _without(rules: Sequence[MarkRule], number: int) -> list[MarkRule]:
    if not 1 <= number <= len(rules):
        raise InvalidMarkRule(f"there is no rule {number}: `bpvs mark list` shows {len(rules) or 'none'}")
    return [*rules[: number - 1], *rules[number:]]


def _place(rules: Sequence[MarkRule], rule: MarkRule) -> int:
    if rule not in rules:
        raise InvalidMarkRule(f"there is no rule {rule_words(rule)}")
    return rules.index(rule) + 1


def _as_text(rules: Sequence[MarkRule]) -> str:
    if not rules:
        return "no rules\n"
    missing = absent(rules)
    width = len(str(len(rules)))
    return "".join(
        f"{number:{width}}  {rule_words(rule)}{'  (no such interface)' if rule.interface in missing else ''}\n"
        for number, rule in enumerate(rules, 1)
    )


def _as_json(director: Director) -> str:
    rows = [
        {
            "number": number,
            "dst": str(rule.dst),
            "src": str(rule.src) if rule.src else None,
            "protocol": PROTOCOL_NAMES[rule.protocol] if rule.protocol else None,
            "ports": format_ports(rule.ports) or None,
            "interface": rule.interface or None,
            "mark": rule.mark,
        }
        for number, rule in enumerate(director.mark_rules(), 1)
    ]
    return json.dumps({"rules": rows}, indent=2) + "\n"
