"""An environment for each peer, made once: .nox/bench-MODULE."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.peers.peer import Peer
from compat_matrix import matrix, mysqlclient
from compat_matrix.pythons import newest_python

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".nox"
NEWEST_DJANGO = matrix.load().djangos[-1].version


@dataclass(frozen=True, slots=True)
class Environment:
    """The interpreter of a peer, and what must be set to run it."""

    python: str
    variables: dict[str, str]


@contextmanager
def stage() -> Iterator[Path]:
    """A folder to run peers in: `benchmarks` is there, and not the package of the checkout, which 0.1.x is named as."""
    with TemporaryDirectory(prefix="dsq-bench-") as folder:
        (Path(folder) / "benchmarks").symlink_to(ROOT / "benchmarks")
        yield Path(folder)


def environment(module: str, peer: type[Peer], stage: Path, django: str) -> Environment:
    """Of the newest Python that there is, the same for all peers; installed again when its requirements change.

    `django` is the newest that the database can be used with.
    """
    python = newest_python(matrix.load(), at_least=peer.python)
    if python is None:
        raise LookupError(f"{peer.name} needs Python {peer.python}, which is not here")
    oldest = any(name.startswith("django>") for name in peer.requirements) and django != NEWEST_DJANGO
    folder = FOLDER / (f"bench-{module}-django-{django}" if oldest else f"bench-{module}")
    program = folder / "bin" / "python"
    needed = {name for name in peer.requirements if name.startswith("mysqlclient")}
    library = mysqlclient.client_library() if needed else None
    wanted = "\n".join((python.version, *peer.requirements, library.key if library else ""))
    note = folder / "installed"
    if not note.exists() or note.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        run(python.program, "-m", "venv", str(folder))
        requirements = [name for name in peer.requirements if name not in needed]
        requirements += [f"django~={django}.0"] if oldest else []
        if library:
            requirements.append(str(mysqlclient.wheel(python.tag, library, builder(program, needed))))
        # "-e ." is two words.
        words = [word for name in requirements for word in (name.split() if name.startswith("-e") else [name])]
        run(str(program), "-m", "pip", "install", "--quiet", *words)
        note.write_text(wanted, encoding="utf-8")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "BENCH_"))}
    variables |= {"PYTHONPATH": str(stage)} | (library.run_environment if library else {})
    return Environment(str(program), variables)


def builder(program: Path, names: set[str]) -> mysqlclient.Build:
    def build(folder: Path, more: dict[str, str]) -> None:
        run(str(program), "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), *names, more=more)

    return build


def run(*command: str, more: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | (more or {}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        wrong = [line for line in done.stdout.splitlines() if "ERROR" in line or "Error" in line]
        print(done.stdout[-2000:], file=sys.stderr)
        raise RuntimeError(wrong[0] if wrong else f"{Path(command[0]).name} ended with {done.returncode}")
