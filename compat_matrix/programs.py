"""What each kind of server needs to know to be found, set up and started."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class ServerProgram(Protocol):
    """One kind of database server: how its program is found, set up, started and reached."""

    stop: signal.Signals

    def candidates(self, version: str) -> Iterator[Path]:
        """Where the program may be on this machine."""

    def inside(self, root: Path, version: str) -> Path:
        """Where the program is in an unpacked package."""

    def is_version(self, printed: str, version: str) -> bool:
        """Whether what --version printed is the product and version wanted."""

    def set_up(self, program: Path, data: Path) -> None:
        """Fill an empty data folder."""

    def command(self, program: Path, data: Path, port: int) -> list[str | Path]:
        """The command that starts it, listening on 127.0.0.1:port."""

    def is_ready(self, data: Path, port: int) -> bool:
        """Whether it takes connections."""

    def url(self, port: int) -> str:
        """Its address, for a user who may create databases."""


def printed_version(program: Path) -> str:
    """What the program says of itself, on one line; empty if it does not run."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else ""


def short_version(printed: str) -> str:
    """The number in what --version printed (which starts with the program's path)."""
    found = re.search(r"(?:Ver|\(PostgreSQL\)) (\d+(\.\d+)*)", printed)
    return found[1] if found else printed


def starts_with_version(printed: str, version: str) -> bool:
    """Whether the number printed is `version` or a patch of it: 15.18 is 15, 10.11.6 is 10.11."""
    return short_version(printed).split(".")[: len(version.split("."))] == version.split(".")
