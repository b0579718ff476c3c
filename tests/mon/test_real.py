# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's mon runs from where it was unpacked."""

from __future__ import annotations

import subprocess

import pytest

from tests.mon.real import perl_code, real_program


def test_the_daemon_tells_its_version() -> None:
    mon = real_program("mon")
    done = subprocess.run([*mon.argv, "-v"], env=mon.env, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("mon-1.3")


@pytest.mark.parametrize("name", ["moncmd", "monshow", "monfailures"])
def test_the_clients_compile(name: str) -> None:
    program = real_program(name)
    done = subprocess.run(
        [program.argv[0], "-c", *program.argv[1:]], env=program.env, capture_output=True, text=True, check=True
    )
    assert "syntax OK" in done.stderr


def test_the_client_library_loads() -> None:
    program = perl_code("use Mon::Client; print Mon::Client->new(host => 'h')->host")
    assert subprocess.run(program.argv, env=program.env, capture_output=True, text=True, check=True).stdout == "h"
