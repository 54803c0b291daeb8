"""Packages of the past, installed into folders of their own and kept between runs."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from compat_matrix.cache import cache_folder, locked, workplace


def published() -> Path:
    """The folder of django-simple-queue 0.1.10, without its dependencies."""
    return installed("django-simple-queue-0.1.10", "--no-deps", "django-simple-queue==0.1.10")


def django_4_2() -> Path:
    """The folder of Django 4.2, which made MariaDB's UUID columns char(32)."""
    return installed("django-4.2", "django==4.2.*")


def installed(name: str, *requirements: str) -> Path:
    folder = cache_folder() / "packages" / f"{name}-py{sys.version_info.major}{sys.version_info.minor}"
    with locked(folder.name):
        if not folder.exists():
            with workplace(folder.parent) as unfinished:
                install(unfinished / "packages", *requirements)
                (unfinished / "packages").rename(folder)
    return folder


def install(target: Path, *requirements: str) -> None:
    done = subprocess.run(
        [*installer(target.parent), "--quiet", "--target", str(target), *requirements],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(requirements)} cannot be installed: {done.stderr.strip()}")


def installer(folder: Path) -> list[str]:
    """The command that installs: pip; or uv, whose environments have no pip; or pip in an environment made for it."""
    python = sys.executable
    if importlib.util.find_spec("pip") is None:
        if uv := shutil.which("uv"):
            return [uv, "pip", "install", "--python", python]
        subprocess.run([python, "-m", "venv", str(folder / "venv")], check=True)
        python = str(folder / "venv" / "bin" / "python")
    return [python, "-m", "pip", "install", "--disable-pip-version-check"]
