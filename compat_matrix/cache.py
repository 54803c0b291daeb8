"""The folder that keeps between runs what was fetched or built."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from platformdirs import PlatformDirs


def cache_folder() -> Path:
    """Return $DSQ_CACHE, else the user's cache folder, else (for root) the machine's."""
    chosen = os.environ.get("DSQ_CACHE")
    places = PlatformDirs("django_simple_queue")
    if chosen:
        folder = Path(chosen).expanduser().absolute()
    elif os.geteuid() == 0:
        # Servers run as another user, who usually may not look into /root.
        folder = places.site_cache_path
    else:
        folder = places.user_cache_path
    return make_folder(folder)


def make_folder(folder: Path) -> Path:
    """Create a folder that every user may read, whatever the umask says."""
    missing = [folder, *folder.parents]
    missing = missing[: next(i for i, path in enumerate(missing) if path.exists())]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(0o755)
    return folder


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Let one process at a time fetch or build what goes by this name."""
    with FileLock(make_folder(cache_folder() / "locks") / f"{name}.lock"):
        yield


@contextmanager
def workplace(beside: Path) -> Iterator[Path]:
    """A temporary folder on the file system of `beside`: what is ready in it can be renamed into place."""
    folder = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=make_folder(beside)))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
