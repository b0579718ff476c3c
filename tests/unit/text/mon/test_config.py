# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole files: what becomes of their sections, and what is said about what is odd."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bpvs.model.mon import Behaviour, Config, Hostgroup, Key
from bpvs.text.mon.config import parse
from bpvs.text.mon.errors import ConfigError

TUTORIAL = Path(__file__).parents[3] / "golden" / "mon" / "01_tutorial"


def told(config: Config) -> str:
    return "\n".join(config.notices)


def test_the_tutorial_as_it_stands() -> None:
    config = parse((TUTORIAL / "tutorial_verbatim.cf").read_bytes())
    assert {name: group.hosts for name, group in config.hostgroups.items()} == {
        "HTTP1": ("192.168.122.50",),
        "HTTP2": ("192.168.122.51",),
    }
    assert list(config.services) == [Key("HTTP1", "http"), Key("HTTP2", "http")]
    for service in config.services.values():
        assert service.interval == 5
        assert service.monitor == ("http.monitor",)
        assert service.allow_empty_group
    assert config.settings.randstart == 60
    assert config.settings.authtype == ("pam",)
    assert told(config).count("without a blank line") == 1
    assert "mon.cf:16: 'watch HTTP1' begins a section" in told(config)
    assert "(also line 25)" in told(config)


def test_the_tutorial_with_blank_lines_says_the_same() -> None:
    verbatim = parse((TUTORIAL / "tutorial_verbatim.cf").read_bytes())
    spaced = parse((TUTORIAL / "tutorial_spaced.cf").read_bytes())
    assert replace(verbatim, notices=()) == replace(spaced, notices=())
    assert "blank line" not in told(spaced)


SERVICE = "service s\ninterval 5s\nmonitor m\nperiod\nalert a\n"


def error_of(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return caught.value


def test_an_error_is_a_sentence_with_its_place() -> None:
    error = error_of("hostgroup G a\n\nwatch G\nservice s\ninterval 5\n")
    assert str(error) == "mon.cf:5: interval: '5' is no time: write 5s, 2m, 1.5h or 1d"
    assert (error.name, error.line, error.wrong) == ("mon.cf", 5, "interval: '5' is no time")
    assert error.right == "write 5s, 2m, 1.5h or 1d"
    assert error.legacy == "invalid time interval '' (syntax: interval = {positive number}{smhd}), line 5"


def test_the_line_of_a_continued_line_is_its_last() -> None:
    text = f"watch G\n{SERVICE}service t\ndescription a \\\n  b\nbogus\n"
    assert error_of(text).line == 10


def test_hosts_over_lines_with_stars_comments_and_settings_between() -> None:
    config = parse("hostgroup G\n a *b\n # c\nmaxprocs = 5\n c\td \\\n e\n\nwatch G\n" + SERVICE)
    assert config.hostgroups["G"] == Hostgroup("G", ("a", "b", "c", "d", "e"), ("b",))
    assert config.settings.maxprocs == 5
    assert not config.notices


def test_of_two_hostgroups_the_last_counts() -> None:
    config = parse("hostgroup G a b\n\nhostgroup G c\n d\n\nwatch G\n" + SERVICE)
    assert config.hostgroups["G"].hosts == ("c", "d")
    assert config.notices == ("mon.cf:3: hostgroup G is defined a second time, and this one counts",)


def test_a_blank_line_ends_a_watch_and_says_what_it_drops() -> None:
    config = parse("hostgroup G a\n\nwatch G\nservice s\ninterval 5s\nmonitor m\n \t\nperiod\nalert a\n")
    assert config.services[Key("G", "s")].periods == ()
    why = "is ignored: a blank line before it ended the section that it may belong to"
    assert config.notices == (f"mon.cf:8: 'period' {why}", f"mon.cf:9: 'alert a' {why}")


def test_a_setting_without_its_sign() -> None:
    assert parse("maxprocs 5\n").notices == (
        "mon.cf:1: 'maxprocs 5' is ignored: write maxprocs = ... if the setting is meant",
    )


@pytest.mark.parametrize("opening", ["hostgroup G a", "view V W:s", "alias A\nsome text"])
@pytest.mark.parametrize("blank", ["\n", ""])
def test_a_section_needs_no_blank_line_before_it(opening: str, blank: str) -> None:
    config = parse(f"{opening}\n{blank}watch W\n{SERVICE}{blank}view U W\n{blank}hostgroup H b\n")
    assert list(config.services) == [Key("W", "s")]
    assert config.views["U"] == ("W",)
    assert config.hostgroups["H"].hosts == ("b",)
    assert ("begins a section without a blank line" in told(config)) is (blank == "")


def test_sections_that_mon_parts_too_are_no_notice() -> None:
    config = parse(f"view V G\nview U G\nalias A\nhostgroup G a\nwatch G\n{SERVICE}watch H\n{SERVICE}hostgroup H b\n")
    assert config.views == {"V": ("G",), "U": ("G",)}
    assert told(config).count("begins a section") == 1
    assert "'watch G'" in told(config)


def test_many_such_sections_are_one_notice() -> None:
    text = "".join(f"hostgroup G{number} a\nwatch G{number}\n{SERVICE}" for number in range(12))
    config = parse(text)
    assert len(config.services) == 12
    [notice] = config.notices
    assert notice.startswith("mon.cf:2: 'watch G0' begins a section without a blank line before it (also line 9, ")
    assert notice.endswith(", line 65, 2 more); it is read as one")


def test_free_text_of_an_alias_is_no_section() -> None:
    text = "watch WEB service http items w1\nview all\nwatch out!\nurl http://x/?a=b"
    assert parse(f"alias A\n  {text}\n").aliases["A"] == tuple(text.split("\n"))


def test_hosts_may_be_called_like_keywords() -> None:
    config = parse("hostgroup G a\n watch\n view hostgroup\n alias a b\n service s\n\nwatch G\n" + SERVICE)
    assert config.hostgroups["G"].hosts == ("a", "watch", "view", "hostgroup", "alias", "a", "b", "service", "s")
    assert not config.notices


def test_a_view_may_have_all_its_members_below_it() -> None:
    assert parse("view V\n A\n B:x\n").views == {"V": ("A", "B:x")}


def test_defaults_hold_from_where_they_stand() -> None:
    def watch(name: str) -> str:
        return f"\nhostgroup {name} a\n\nwatch {name}\n{SERVICE}\n"

    config = parse(f"{watch('A')}dep_behavior = m\ndep_memory = 1m\nunack_summary = yes\n{watch('B')}")
    before, after = config.services.values()
    assert (before.depend_behaviour, before.depend_memory, before.unack_summary) == (Behaviour.ALERT, 0, False)
    assert (after.depend_behaviour, after.depend_memory, after.unack_summary) == (Behaviour.MONITOR, 60, True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("maxproc = 5\n", "mon.cf:1: 'maxproc' is no setting: did you mean maxprocs?"),
        ("qqq = 5\n", "mon.cf:1: 'qqq' is no setting"),
        ("hostgroup\n", "mon.cf:1: 'hostgroup' opens no hostgroup: write hostgroup NAME HOST..."),
        ("hostgroup a!b c\n", "mon.cf:1: hostgroup: 'a!b' is no name: use letters, digits, _, . and -"),
        ("hostgroup G a * b\n", "mon.cf:1: the star stands before no host"),
        ("watch\n", "mon.cf:1: 'watch' opens no watch: write watch NAME"),
        ("alias A b\n", "mon.cf:1: 'alias A b' opens no alias: write alias NAME"),
        ("watch G\nservice a/b\n", "mon.cf:2: service: 'a/b' is no name"),
        ("watch G\nservice\n", "mon.cf:2: service: '' is no name"),
        ("watch G\ninterval 5s\n", "mon.cf:2: interval stands before any service: write `service NAME` first"),
        ("watch G\nFOO=bar\n", "mon.cf:2: FOO= stands before any service"),
        (f"watch G\n{SERVICE}service s\n", "mon.cf:7: watch G has a service s already: give it another name"),
        (f"watch G\n{SERVICE}\nwatch G\n", "mon.cf:8: there is a watch G already: put all its services below one"),
        (f"watch G\n{SERVICE}interval 5s\n", "'interval 5s' is nothing that a watch knows: interval stands before the"),
        (f"watch G\n{SERVICE}maxprocs = 5\n", "a setting of the whole file stands before the first watch or after"),
        ("watch G\nservice s\nalert a\n", "'alert a' is nothing that a watch knows: alert stands below a period"),
        ("watch G\nservice s\nintervall 5s\n", "'intervall 5s' is nothing that a watch knows: did you mean interval?"),
        ("watch G\nservice s\n- x\n", "'- x' is nothing that a watch knows"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    assert says in str(error_of(text))


def test_a_watch_may_begin_twice_while_it_is_empty() -> None:
    config = parse(f"hostgroup G a\n\nwatch G\n\nwatch G too\n{SERVICE}")
    assert list(config.services) == [Key("G", "s")]
    assert config.notices == ("mon.cf:5: what follows watch G is ignored: too",)


def test_errors_name_the_file_that_m4_tells() -> None:
    with pytest.raises(ConfigError, match=r"^web\.inc:4: interval: "):
        parse('watch G\nservice s\n#line 4 "web.inc"\ninterval x\n')
