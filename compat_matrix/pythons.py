"""Finds the Pythons of this machine that the matrix lists."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compat_matrix.matrix import Matrix, version_key


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter: its version ("3.13") and its program."""

    version: str
    program: str

    @property
    def tag(self) -> str:
        """As in names of wheels: cp313."""
        return "cp" + self.version.replace(".", "")

    @property
    def short(self) -> str:
        return "py" + self.version.replace(".", "")


def own_python() -> Python:
    """The Python that runs this, outside of any virtual environment."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    program = Path(sys.base_prefix) / "bin" / f"python{version}"
    return Python(version, str(program) if program.exists() else sys.executable)


def newest_python(matrix: Matrix, *, at_least: str) -> Python | None:
    """The newest Python found on PATH, in pyenv or running this, from `at_least` on; None without one."""
    for version in sorted(matrix.pythons, key=version_key, reverse=True):
        if version_key(version) >= version_key(at_least):
            for program in _programs(version):
                if _is_usable(program, version):
                    return Python(version, program)
    return None


def _programs(version: str) -> Iterator[str]:
    own = own_python()
    if own.version == version:
        yield own.program
    for folder in os.get_exec_path():
        program = shutil.which(f"python{version}", path=folder)
        if program:
            yield program
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for program_path in sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True):
        yield str(program_path)


def _is_usable(program: str, version: str) -> bool:
    """Whether it runs (pyenv's shims exist for versions that are off) and has SQLite and venv."""
    code = "import ensurepip, sqlite3, ssl, sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([program, "-c", code], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == version
