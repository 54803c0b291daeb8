"""Runs server programs: unprivileged, and never longer than the process that wanted them."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from compat_matrix.errors import ServerError

# PostgreSQL and MySQL refuse to run as root.
UNPRIVILEGED_USER = "nobody"
START_SECONDS = 120
STOP_SECONDS = 30
FOLDER_PREFIX = "dsq-server-"
OWNER_LOCK = "owner.lock"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def throw_away_folder(name: str) -> Iterator[Path]:
    """A temporary folder that the server's user owns, removed at the end.

    Folders left by processes that were killed are removed too: nobody holds their lock.
    """
    _remove_abandoned_folders()
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{name}-"))
    with FileLock(folder / OWNER_LOCK):
        data = folder / "data"
        folder.chmod(0o755)
        for made in (data, temporary_folder(data)):
            made.mkdir(mode=0o700)
            if os.geteuid() == 0:
                user = pwd.getpwnam(UNPRIVILEGED_USER)
                os.chown(made, user.pw_uid, user.pw_gid)
        try:
            yield data
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def temporary_folder(data: Path) -> Path:
    """A server's own: one that starts removes the temporary tables that it finds in a shared one."""
    return data.with_name("tmp")


def _remove_abandoned_folders() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        try:
            if time.time() - folder.stat().st_mtime > 60:  # not one that is just being made
                with FileLock(folder / OWNER_LOCK, timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)
        except (OSError, Timeout):
            continue  # in use, or somebody else's


def unprivileged(command: Sequence[str | Path], *, when_parent_dies: signal.Signals) -> list[str]:
    """Return the command, wrapped so that it runs as an unprivileged user and ends with its parent."""
    setpriv = shutil.which("setpriv")
    prefix: list[str] = []
    if setpriv:
        prefix = [setpriv, "--pdeathsig", when_parent_dies.name.removeprefix("SIG")]
    if os.geteuid() == 0:
        if setpriv is None:
            raise ServerError(
                "a database server must not run as root and there is no setpriv: install util-linux, "
                "or run this as another user"
            )
        _check_readable(Path(command[0]))
        user = pwd.getpwnam(UNPRIVILEGED_USER)
        prefix += ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
    return [*prefix, *map(str, command)]


def _check_readable(program: Path) -> None:
    for folder in program.parents:
        if not folder.stat().st_mode & 0o001:
            raise ServerError(
                f"{program} must be run as the user {UNPRIVILEGED_USER}, who may not look into {folder}: "
                "set DSQ_CACHE to a folder that every user may read"
            )


def run(command: Sequence[str | Path], *, given: str = "") -> str:
    """Run a program to its end, unprivileged; return what it printed."""
    done = subprocess.run(
        unprivileged(command, when_parent_dies=signal.SIGKILL),
        input=given,
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise ServerError(f"{command[0]} ended with {done.returncode}: {_last_lines(done.stdout)}")
    return done.stdout


class ServerProcess:
    """A server program that can be started again on its data after it was stopped or killed."""

    def __init__(
        self, command: Sequence[str | Path], *, ready: Callable[[], bool], stop: signal.Signals, log: Path
    ) -> None:
        self.command, self.ready, self.how, self.log = command, ready, stop, log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready.

        To be called from a thread that lives as long as the server: on Linux a parent's death is its thread's.
        """
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                unprivileged(self.command, when_parent_dies=self.how),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for us, and we stop the server
            )
        end = time.monotonic() + START_SECONDS
        while not self.ready():
            if self.process.poll() is not None:
                raise ServerError(f"{self.command[0]} ended with {self.process.returncode}: {self._said()}")
            if time.monotonic() > end:
                raise ServerError(f"{self.command[0]} was not ready after {START_SECONDS} s: {self._said()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.how)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                print(f"pid {self.process.pid} did not stop within {STOP_SECONDS} s: killed", file=sys.stderr)
                self.kill()

    def kill(self) -> None:
        """As a crash would: SIGKILL to it and to what it started."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _said(self) -> str:
        return _last_lines(self.log.read_text(errors="replace"))


@contextmanager
def running(
    command: Sequence[str | Path], *, ready: Callable[[], bool], stop: signal.Signals, log: Path
) -> Iterator[ServerProcess]:
    """Start a server, and stop it at the end in every case."""
    process = ServerProcess(command, ready=ready, stop=stop, log=log)
    try:
        process.start()
        yield process
    finally:
        process.stop()


def _last_lines(output: str, count: int = 12) -> str:
    return "\n".join(output.strip().splitlines()[-count:])
