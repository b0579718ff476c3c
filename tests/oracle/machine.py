# SPDX-License-Identifier: GPL-2.0-or-later
"""Several shell commands in one boot of the virtual machine, each with its own output and exit code."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

import vm


def play(parts: Mapping[str, str], seconds: int) -> dict[str, vm.Result]:
    """What each command gave, by its name; all of them together get that long. Skips where there is no machine."""
    script = "\n".join(
        f"({command}) 2>&1\nprintf '\\n=== {name} ended with %d\\n' $?" for name, command in parts.items()
    )
    try:
        output = vm.run(script, seconds).output
    except vm.VmUnavailableError as error:
        pytest.skip(str(error))
    found = re.findall(r"(.*?)\n=== (\w+) ended with (\d+)\n", output, re.DOTALL)
    results = {name: vm.Result(text, int(code)) for text, name, code in found}
    assert results.keys() == parts.keys(), output
    return results
