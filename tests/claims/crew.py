"""Processes of a project that may be killed at any moment: they tell what they did by files alone.

They are forked from a server that has Django ready, so that eight are there in a blink. Nothing of theirs is shared
with the tests: a lock that a killed process took would be locked for ever.
"""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.forkserver
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
PATIENCE = 60.0  # seconds after which something is wrong
SETTINGS = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")


def wait_for(ready: Callable[[], Any], what: str, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.002)


class Crew:
    """So many processes on one database, with a folder for what they have to tell."""

    def __init__(self, folder: Path, database: dict[str, Any]) -> None:
        self.folder = folder
        self.database = {name: database[name] for name in SETTINGS if name in database}
        self.processes: dict[int, Any] = {}
        self._fork_from_one_that_is_ready()

    def _fork_from_one_that_is_ready(self) -> None:
        before = os.environ.get("DSQ_TEST_DATABASES_JSON")
        os.environ["DSQ_TEST_DATABASES_JSON"] = json.dumps({"default": self.database})
        CONTEXT.set_forkserver_preload(["tests.claims.forked"])
        try:
            multiprocessing.forkserver.ensure_running()
        finally:
            del os.environ["DSQ_TEST_DATABASES_JSON"]
            if before is not None:
                os.environ["DSQ_TEST_DATABASES_JSON"] = before

    def start(self, number: int, work: Callable[..., None], *given: Any) -> None:
        """`work(member, *given)` in a process; `work` lies in a module that imports no model before it is called."""
        args = (work, self.folder, self.database, number, *given)
        self.processes[number] = CONTEXT.Process(target=run, args=args, daemon=True)
        self.processes[number].start()

    def say(self, word: str) -> None:
        (self.folder / word).touch()

    def heard(self, word: str) -> bool:
        return (self.folder / word).exists()

    def told_by(self, number: int) -> list[list[int]]:
        """What a member told, line by line; a line that a kill cut off was not told."""
        path = self.folder / f"told-{number}"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def wait_until_ready(self) -> None:
        wait_for(lambda: all(self.heard(f"ready-{number}") for number in self.processes), "all to be ready")

    def kill(self, number: int) -> None:
        self.processes[number].kill()
        self.processes[number].join(PATIENCE)

    def send(self, number: int, sent: signal.Signals) -> None:
        os.kill(self.processes[number].pid, sent)

    def join(self, seconds: float = PATIENCE) -> dict[int, int]:
        """Wait for all; how each ended."""
        for number, process in self.processes.items():
            process.join(seconds)
            assert process.exitcode is not None, f"process {number} does not end"
        return {number: process.exitcode for number, process in self.processes.items()}

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            if process.is_alive():
                process.kill()
            process.join(PATIENCE)
            process.close()


class Member(Crew):
    """The crew as one of its processes sees it."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder, self.number = folder, number
        self.file = os.open(folder / f"told-{number}", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def tell(self, line: list[int]) -> None:
        os.write(self.file, f"{json.dumps(line)}\n".encode())

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def run(work: Callable[..., None], folder: Path, database: dict[str, Any], number: int, *given: Any) -> None:
    from . import forked

    forked.use(database)
    work(Member(folder, number), *given)
