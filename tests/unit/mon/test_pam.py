# SPDX-License-Identifier: GPL-2.0-or-later
"""Passwords by the real libpam: a stack of the test's own asks a script."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from bpvs.mon.pam import NoPam, authenticate


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Stacks: `mon` takes `right horse` of bob, `none` nothing."""
    try:
        ctypes.CDLL("libpam.so.0")
    except OSError:
        pytest.skip("libpam is not installed")
    script = tmp_path / "check"
    script.write_text('#!/bin/sh\n[ "$PAM_USER $PAM_RHOST $(cat | tr -d "\\000")" = "bob 192.0.2.1 right horse" ]\n')
    script.chmod(0o755)
    (tmp_path / "mon").write_text(f"auth required pam_exec.so expose_authtok quiet {script}\n")
    (tmp_path / "none").write_text("auth required pam_deny.so\n")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("user", "password", "is_right"),
    [("bob", "right horse", True), ("bob", "wrong", False), ("eve", "right horse", False), ("bob", "a\0b", False)],
)
def test_the_stack_decides(folder: str, user: str, password: str, is_right: bool) -> None:
    assert authenticate(user, password, service="mon", address="192.0.2.1", folder=folder) is is_right


def test_a_stack_that_denies(folder: str) -> None:
    assert not authenticate("bob", "right horse", service="none", folder=folder)


def test_a_stack_that_is_not_there(folder: str) -> None:
    """Debian's libpam then asks the stack `other`; where that is not there either it cannot be begun."""
    with pytest.raises(NoPam, match="PAM cannot be begun for service nowhere: error"):
        authenticate("bob", "right horse", service="nowhere", folder=folder)
