"""A file system of a few megabytes: a tmpfs in a namespace of its own, which ends with the process that holds it."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from compat_matrix.processes import unprivileged

INSIDE = "/mnt"  # in its namespace it is mounted over what every system has
HOLD = f"mount -t tmpfs -o size=$0k small {INSIDE} && mkdir {INSIDE}/data && echo ready && exec $1 --pdeathsig KILL cat"
FILL = "import sys\nwith open(sys.argv[1], 'ab', 0) as file:\n    while file.write(bytes(4096)) == 4096:\n        pass"


class Small:
    """All reach it by its holder's /proc/PID/root; `before`: words that make a command its owner's."""

    def __init__(self, pid: int, before: Sequence[str]) -> None:
        self.pid, self.before = pid, before
        self.data = Path(f"/proc/{pid}/root{INSIDE}/data")
        self.inside = Path(INSIDE) / "data"
        self.ballast = self.data.with_name("ballast")

    @property
    def enter(self) -> list[str]:
        """Words that let a command of its owner see it as `inside`."""
        user = [] if is_root() and not self.before else ["--user", "--preserve-credentials"]
        nsenter, setpriv = shutil.which("nsenter"), shutil.which("setpriv")
        return [str(nsenter), f"--target={self.pid}", "--mount", *user, str(setpriv), "--pdeathsig", "KILL"]

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.before, *map(str, command)], capture_output=True, text=True)

    def copy(self, folder: Path) -> None:
        done = self.run("cp", "-a", f"{folder}/.", self.data)
        assert done.returncode == 0, done.stderr

    def fill(self) -> None:
        """Leave no room."""
        done = self.run("python3", "-c", FILL, self.ballast)
        assert done.returncode == 0 or os.strerror(errno.ENOSPC) in done.stderr, done.stderr

    def make_room(self) -> None:
        assert self.run("rm", self.ballast).returncode == 0

    def make_read_only(self) -> None:
        """For whoever opens a file in it from now on."""
        done = self.run(*self.enter, "mount", "--bind", "-o", "ro", INSIDE, INSIDE)
        assert done.returncode == 0, done.stderr

    def make_writable(self) -> None:
        done = self.run(*self.enter, "umount", INSIDE)
        assert done.returncode == 0, done.stderr


def is_root() -> bool:
    return os.geteuid() == 0


@contextmanager
def small_file_system(kilobytes: int, *, of_server: bool = False) -> Iterator[Small]:
    """Skips the test where there are no namespaces. `of_server`: it belongs to the user that servers run as."""
    setpriv, unshare = shutil.which("setpriv"), shutil.which("unshare")
    if not setpriv or not unshare:
        pytest.skip("needs setpriv and unshare of util-linux")
    before = unprivileged(["/usr/bin/env"], when_parent_dies=signal.SIGKILL) if of_server else []
    become_root = [] if is_root() and not of_server else ["--user", "--map-root-user"]
    holder = subprocess.Popen(
        [*before, unshare, *become_root, "--mount", "sh", "-c", HOLD, str(kilobytes), setpriv],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stderr is not None
        if holder.stdout.readline() != "ready\n":
            pytest.skip(f"needs a mount namespace: {holder.stderr.read().strip()}")
        yield Small(holder.pid, before)
    finally:
        holder.kill()
        holder.communicate()


def kilobytes_of(folder: Path) -> int:
    return sum(path.stat().st_blocks for path in folder.rglob("*") if path.is_file()) // 2
