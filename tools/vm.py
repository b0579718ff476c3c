#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run a command under Debian's stock kernel, in a virtual machine that sees this machine's files.

    tools/vm.py [--timeout SECONDS] COMMAND...

The machine has a network of its own, and nothing that the command writes reaches the host, whose files it reads through
copy-on-write overlays (the project's own folder: read-only). It runs under QEMU's emulation, about 12 times slower than
the host. Output and exit code travel through a shared folder, so that kernel messages on the console cannot mix in.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build/vm"
KERNEL_PACKAGE = "linux-image-amd64"  # Debian's name for "the current stable kernel"
SLOWER = 12  # than the host, about
BOOT_S = 120  # a boot takes 15 s on an idle machine
# depmod and qemu live where the PATH of a user may not look; vng starts its own helpers by name.
SEARCH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

GUEST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class VmUnavailableError(Exception):
    """The host cannot run the machine; str() names what is missing and how to get it."""


class VmFailedError(Exception):
    """The machine or its time ended before the command told its exit code; str() holds the console's last lines."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """An unpacked kernel package: the image to boot and its version, as `uname -r` tells it."""

    image: Path
    version: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a command in the machine wrote (both streams, as they came) and how it ended."""

    output: str
    code: int


def require_tools() -> None:
    """Check that this host can run the machine. Raises VmUnavailableError."""
    if platform.machine() != "x86_64":
        raise VmUnavailableError(f"the virtual machine needs an x86_64 host, this is {platform.machine()}")
    packages = {
        "qemu-system-x86_64": "qemu-system-x86",
        "depmod": "kmod",
        "busybox": "busybox-static",
        "apt-get": "apt",
        "dpkg-deb": "dpkg",
    }
    missing = [package for tool, package in packages.items() if not shutil.which(tool, path=SEARCH)]
    if missing:
        raise VmUnavailableError(f"the virtual machine needs Debian's {', '.join(missing)}: run 'tools/setup oracle'")
    if not shutil.which("virtme-run", path=SEARCH):
        raise VmUnavailableError("the virtual machine needs virtme-ng in .venv: run 'tools/setup oracle'")


def run_tool(*command: str, cwd: Path | None = None) -> str:
    """Run a program of the host and return its standard output. Raises VmUnavailableError with its words."""
    environment = os.environ | {"PATH": SEARCH, "LC_ALL": "C"}
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=600)
    if result.returncode:
        raise VmUnavailableError(f"'{shlex.join(command)}' failed: {result.stderr.strip()[-500:]}")
    return result.stdout


def find_kernel(folder: Path) -> Kernel | None:
    """Return the kernel that is unpacked in the folder; None if there is none or it is not complete."""
    for image in folder.glob("boot/vmlinuz-*"):
        version = image.name.removeprefix("vmlinuz-")
        if (folder / "lib/modules" / version / "modules.dep").exists():
            return Kernel(image, version)
    return None


def unpack_kernel(folder: Path) -> None:
    """Download the kernel package and unpack it, with its modules indexed, into the folder."""
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        # The package wanted is the one that the named one depends on; apt-cache knows without a network.
        depends = run_tool("apt-cache", "depends", "--important", KERNEL_PACKAGE)
        names = [line.split()[-1] for line in depends.splitlines() if "Depends: linux-image-" in line]
        if not names:
            raise VmUnavailableError(f"apt does not know {KERNEL_PACKAGE}: run 'apt-get update'")
        run_tool("apt-get", "download", "-o", "APT::Sandbox::User=root", names[0], cwd=Path(work))
        package = next(Path(work).glob("*.deb"))
        tree = Path(work) / "tree"
        run_tool("dpkg-deb", "-x", str(package), str(tree))
        version = next(tree.glob("boot/vmlinuz-*")).name.removeprefix("vmlinuz-")
        run_tool("depmod", "-b", str(tree), version)
        shutil.rmtree(folder, ignore_errors=True)
        tree.rename(folder)


def prepare() -> Kernel:
    """Return the kernel to boot, downloaded on the first call (70 MB, 400 MB unpacked). Raises VmUnavailableError."""
    require_tools()
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / "kernel"
    kernel = find_kernel(folder)
    if not kernel:
        unpack_kernel(folder)
        kernel = find_kernel(folder)
    if not kernel:
        raise VmUnavailableError(f"{KERNEL_PACKAGE} was unpacked into {folder}, but no kernel with modules is there")
    return kernel


def boot_command(kernel: Kernel, exchange: Path) -> list[str]:
    """Return the command line that boots the kernel, runs exchange/main and powers off."""
    machine = ["--disable-kvm", "--cpus", "2", "--memory", "2G", "--user", "root", "--verbose"]
    return ["vng", "--run", str(kernel.image), *machine, "--rwdir", str(exchange), "--", str(exchange / "main")]


def python_files() -> list[Path]:
    """Return what every start of Python reads: interpreter, standard library, the project's own modules."""
    library = Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME"))
    files = [Path(sys.executable).resolve(), library.resolve(), Path(sysconfig.get_path("stdlib")), ROOT / "src"]
    return [path for path in files if path.exists()]


def program_files(names: Sequence[str]) -> list[Path]:
    """Return what every start of these programs reads: themselves and their libraries."""
    found = [Path(path).resolve() for name in names if (path := shutil.which(name, path=GUEST_PATH))]
    libraries = {word for path in found for word in run_tool("ldd", str(path)).split() if word.startswith("/")}
    return [*found, *sorted(Path(path).resolve() for path in libraries)]


def pack(paths: Sequence[Path], archive: Path) -> None:
    """Write files and folders, each under its number, into a tar archive that the machine unpacks into its memory.

    The host's files are read anew by every process of the machine, which made `python3 -c 0` take 4 s there.
    """
    unused = {"test", "idlelib", "tkinter", "ensurepip", "lib2to3", "site-packages", "turtledemo"}

    def wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        last = member.name.rpartition("/")[2]
        return None if last in unused or last.startswith("config-3") else member

    with tarfile.open(archive, "w") as tar:
        for number, path in enumerate(paths):
            tar.add(path, str(number), filter=wanted)


def unpack_script(paths: Sequence[Path], archive: Path) -> str:
    """Return the lines that unpack the archive and put each copy in its original's place."""
    mounts = [f"mount --bind /run/copies/{number} {shlex.quote(str(path))}\n" for number, path in enumerate(paths)]
    return f"mkdir /run/copies && tar -xf {shlex.quote(str(archive))} -C /run/copies\n{''.join(mounts)}"


def guest_script(command: str, exchange: Path, timeout_s: int, mounts: str = "") -> str:
    """Return the script that runs the command inside; the exit code's file appears last and whole."""
    folder = shlex.quote(str(exchange))
    return (
        "#!/bin/bash\n"
        f"cd {shlex.quote(str(ROOT))}\n"
        f"export PATH={GUEST_PATH}\n"
        f"export BPVS_PATIENCE={SLOWER}\n"
        "unset PYTHONDONTWRITEBYTECODE\n"
        f"{mounts}"
        f"timeout --kill-after=5 {timeout_s} bash -c {shlex.quote(command)} </dev/null >{folder}/output 2>&1\n"
        f"echo $? >{folder}/code.new\n"
        f"mv {folder}/code.new {folder}/code\n"
    )


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End the machine that was started, with every process that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(command: str, timeout_s: int = 600, programs: Sequence[str] = ()) -> Result:
    """Boot the machine and run one shell command in it as root, from the project's folder.

    `programs` are names of those that it starts often: like Python, they are read from the machine's memory.
    A command that takes longer than timeout_s ends with code 124, as timeout(1) has it.
    Raises VmUnavailableError, or VmFailedError if the machine did not come up or stopped on the way.
    """
    kernel = prepare()
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        exchange = Path(folder)
        archive = exchange / "copies.tar"
        copies = [*python_files(), *program_files(programs)]
        pack(copies, archive)
        main = exchange / "main"
        main.write_text(guest_script(command, exchange, timeout_s, unpack_script(copies, archive)))
        main.chmod(0o755)
        console = exchange / "console"
        with console.open("wb") as log:
            process = subprocess.Popen(
                boot_command(kernel, exchange),
                env=os.environ | {"PATH": SEARCH},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                process.wait(timeout_s + BOOT_S)
            except subprocess.TimeoutExpired:
                pass  # the missing exit code tells it below, with the console's words
            finally:
                end_group(process)
        if not (exchange / "code").exists():
            last = "\n".join(console.read_text(errors="replace").splitlines()[-30:])
            raise VmFailedError(
                f"the virtual machine gave no exit code of '{command}'; its console ended with:\n{last}"
            )
        return Result((exchange / "output").read_text(errors="replace"), int((exchange / "code").read_text()))


def main() -> int:
    """Run the command line's command; its output and exit code become this process's."""
    parser = argparse.ArgumentParser(description="Run a command under Debian's stock kernel in a virtual machine.")
    parser.add_argument("--timeout", type=int, default=600, metavar="SECONDS", help="for the command, without the boot")
    parser.add_argument("--program", action="append", default=[], help="one that the command starts often; repeatable")
    parser.add_argument("command", nargs="+", help="one shell command; several words are joined by spaces")
    arguments = parser.parse_args()
    try:
        result = run(" ".join(arguments.command), arguments.timeout, arguments.program)
    except (VmUnavailableError, VmFailedError) as error:
        print(error, file=sys.stderr)
        return 125
    sys.stdout.write(result.output)
    return result.code


if __name__ == "__main__":
    sys.exit(main())
