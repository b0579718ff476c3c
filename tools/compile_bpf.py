#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compile bpf/ into src/bpvs/kernel/objects and write src/bpvs/kernel/_abi.py from the objects' BTF.

Used by the build hook of the wheel and by make; only what is older than its sources is made again.
V=1 in the environment prints the full commands.
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = Path("bpf")
OBJECTS = Path("src/bpvs/kernel/objects")
ABI = Path("src/bpvs/kernel/_abi.py")
ABI_GENERATOR = Path("tools/gen_abi.py")
BTF_READER = Path("src/bpvs/kernel/btf.py")

# -mcpu=v3: 32-bit registers and compare-and-swap, understood by every kernel from 5.12 on.
FLAGS = (
    *("-target", "bpfel-freestanding-none", "-mcpu=v3", "-O2", "-g"),
    *("-fno-unwind-tables", "-fno-asynchronous-unwind-tables"),
    *("-Wall", "-Wextra", "-Werror"),
)
BPF_HELPERS = "bpf/bpf_helpers.h"


class BuildError(Exception):
    """Something that the build needs is missing, or the compiler refused a source; str() tells which."""


@dataclass(frozen=True, slots=True)
class Program:
    """One object file: its name, its source below bpf/ and the macros that it is compiled with."""

    name: str
    source: str
    macros: tuple[str, ...] = ()

    def output(self, root: Path) -> Path:
        """Path of the compiled object."""
        return root / OBJECTS / f"{self.name}.bpf.o"


SHIPPED = (
    Program("director_xdp", "director.bpf.c", ("HOOK_XDP",)),
    Program("director_tc", "director.bpf.c", ("HOOK_TC",)),
    Program("housekeeper", "housekeeper.bpf.c"),
    Program("realserver", "realserver.bpf.c"),
)


def programs(root: Path) -> list[Program]:
    """Every program of the tree: those of the wheel, then bpf/bench/X.bpf.c as bench_X."""
    bench = sorted((root / SOURCES / "bench").glob("*.bpf.c"))
    return [
        *SHIPPED,
        *(Program(f"bench_{path.name.removesuffix('.bpf.c')}", f"bench/{path.name}") for path in bench),
    ]


def system_includes() -> list[Path]:
    """Folders that hold libbpf's and the kernel's UAPI headers; BuildError names the packages if they are missing."""
    base = Path("/usr/include")
    folders = [base, base / f"{platform.machine()}-linux-gnu"]
    if not (base / BPF_HELPERS).exists():
        raise BuildError(f"{base / BPF_HELPERS} is missing: install libbpf's headers (Debian: libbpf-dev)")
    if not any((folder / "asm/types.h").exists() for folder in folders):
        raise BuildError("the kernel's header asm/types.h is missing: install it (Debian: linux-libc-dev)")
    return [folder for folder in folders if folder.is_dir()]


def compile_command(root: Path, program: Program, output: Path) -> list[str]:
    """Return the compiler's whole command line; system headers come last, so that the project's own win."""
    includes = [f"-idirafter{folder}" for folder in system_includes()]
    macros = [f"-D{macro}" for macro in program.macros]
    source = root / SOURCES / program.source
    return [
        *(sys.executable, "-m", "ziglang", "cc", *FLAGS, *macros),
        *(f"-I{root / SOURCES / 'include'}", *includes),
        f"-ffile-prefix-map={root}=.",
        *("-c", str(source), "-o", str(output)),
    ]


def is_stale(output: Path, inputs: list[Path]) -> bool:
    """Tell whether the output is missing or older than any of its inputs."""
    if not output.exists():
        return True
    made = output.stat().st_mtime_ns
    return any(path.stat().st_mtime_ns > made for path in inputs if path.exists())


def say(short: str, command: list[str]) -> None:
    """Print the short line, or the whole command with V=1, in one write: programs are compiled side by side."""
    sys.stdout.write((shlex.join(command) if os.environ.get("V") == "1" else short) + "\n")
    sys.stdout.flush()


def compile_program(root: Path, program: Program) -> None:
    """Compile one program; the object appears whole or not at all. Raises BuildError with the compiler's words."""
    output = program.output(root)
    output.parent.mkdir(parents=True, exist_ok=True)
    cache = root / "build/zig"
    cache.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)}
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        made = Path(folder) / output.name
        command = compile_command(root, program, made)
        say(f"  BPF     {program.name}", command)
        result = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False)
        if result.returncode:
            raise BuildError(f"{program.source} does not compile for {program.name}:\n{result.stderr.rstrip()}")
        made.replace(output)


def write_abi(root: Path) -> None:
    """Write _abi.py, Python's view of the maps' structs, if the objects or the generator are newer."""
    inputs = [program.output(root) for program in SHIPPED] + [root / ABI_GENERATOR, root / BTF_READER]
    if not is_stale(root / ABI, inputs):
        return
    command = [sys.executable, str(root / ABI_GENERATOR)]
    say(f"  GEN     {ABI.name}", command)
    if subprocess.run(command, cwd=root, check=False).returncode:
        raise BuildError(f"{ABI_GENERATOR} failed: {ABI} was not written")


def build(root: Path = ROOT) -> None:
    """Bring every object and _abi.py up to date. Raises BuildError."""
    headers = [*(root / SOURCES).rglob("*.[ch]"), Path(__file__)]
    stale = [program for program in programs(root) if is_stale(program.output(root), headers)]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for _ in pool.map(lambda program: compile_program(root, program), stale):
            continue
    write_abi(root)


def main() -> int:
    """Build; 0 when all is up to date, 1 after an error, whose sentence goes to standard error."""
    try:
        build()
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
