# SPDX-License-Identifier: GPL-2.0-or-later
"""Build hook of the wheel: compile bpf/, generate _abi.py, install the manual pages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BpfBuildHook(BuildHookInterface[Any]):
    """Makes the files that git does not hold; pyproject.toml lists them as artifacts."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel's files are gathered; a BuildError stops the build with its sentence."""
        root = Path(self.root)
        sys.path.insert(0, str(root / "tools"))
        try:
            import compile_bpf
        finally:
            sys.path.pop(0)
        compile_bpf.build(root)
        for page in sorted((root / "man").glob("*.[1-8]")):
            build_data["shared_data"][str(page)] = f"share/man/man{page.suffix[1:]}/{page.name}"
