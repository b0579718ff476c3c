# SPDX-License-Identifier: GPL-2.0-or-later
"""The public names: there, documented, free until they are asked for, and alike for both directors."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import bpvs
from bpvs.model import BpvsError
from bpvs.testing import MemoryDirector

PAGE = (Path(__file__).parents[2] / "docs/reference/python.md").read_text(encoding="utf-8")


def methods(kind: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(one) for name, one in inspect.getmembers(kind, inspect.isfunction) if name[0] != "_"
    }


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, bpvs; print([name for name in sys.modules if name.startswith('bpvs.')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("name", bpvs.__all__)
def test_every_name_is_there_and_says_what_it_is(name: str) -> None:
    assert name in dir(bpvs)
    found = getattr(bpvs, name)
    assert isinstance(found, int) or inspect.getdoc(found)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'bpvs' has no attribute 'Balancer'"):
        _ = bpvs.Balancer  # type: ignore[attr-defined]


def test_the_page_tells_every_error() -> None:
    errors = [name for name in bpvs.__all__ if inspect.isclass(getattr(bpvs, name))]
    errors = [name for name in errors if issubclass(getattr(bpvs, name), BpvsError)]
    assert len(errors) > 10
    assert [name for name in errors if f"`{name}`" not in PAGE] == []


def test_what_the_director_in_memory_has_the_real_one_has_alike() -> None:
    real, fake = methods(bpvs.Director), methods(MemoryDirector)
    assert set(fake) <= set(real)
    assert [name for name in fake if list(real[name].parameters) != list(fake[name].parameters)] == []


@pytest.mark.parametrize("name", sorted(methods(MemoryDirector)))
def test_every_method_is_documented(name: str) -> None:
    assert inspect.getdoc(getattr(bpvs.Director, name))
    assert name in PAGE
