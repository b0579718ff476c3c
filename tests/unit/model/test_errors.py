# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import pytest

from bpvs import model
from bpvs.model import BpvsError, DirectorError, NotBuilt, TableError


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ServiceExists", "Service already exists"),
        ("NoSuchService", "No such service"),
        ("ServiceNotDefined", "Service not defined"),
        ("ServerExists", "Destination already exists"),
        ("NoSuchServer", "No such destination"),
        ("UnknownScheduler", "Scheduler or persistence engine not found"),
        ("InvalidServer", "Invalid operation.  Possibly wrong module version, address not unicast, ..."),
        ("OutOfRange", "Numerical result out of range"),
    ],
)
def test_refusals_speak_as_ipvsadm_does(name: str, text: str) -> None:
    error = getattr(model, name)()
    assert isinstance(error, TableError)
    assert str(error) == text


@pytest.mark.parametrize("name", ["LocalExists", "NoSuchLocal", "InvalidLocal", "SynproxyMethod"])
def test_refusals_that_ipvsadm_does_not_know_have_a_sentence_each(name: str) -> None:
    error = getattr(model, name)()
    assert isinstance(error, TableError)
    assert str(error) not in ("", TableError.text)


def test_other_failures_bring_their_own_sentence() -> None:
    for kind in (NotBuilt, DirectorError):
        error = kind("persistence is not built yet")
        assert isinstance(error, BpvsError)
        assert not isinstance(error, TableError)
        assert str(error) == "persistence is not built yet"
