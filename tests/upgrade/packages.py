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
        [*installer(target.parent), "install", "--quiet", "--target", str(target), *requirements],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(requirements)} cannot be installed: {done.stderr.strip()}")


def installer(folder: Path) -> list[str]:
    """pip, of this environment or of one made for it; or uv, whose environments have no pip."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    if uv := shutil.which("uv"):
        return [uv, "pip"]
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    return [str(folder / "venv" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
