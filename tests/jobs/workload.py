"""Tasks of drawn workloads. Each run has a name of its own and writes down when it began and when it ended.

A line of the file `runs` in the folder DSQ_EVIDENCE: run, number of the task in its workload, event, process, the
process's parent (its worker's supervisor), nanoseconds. What a run returns or raises names the run.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.utils import timezone

from django_simple_queue import current_task, task_options

_count = itertools.count(1)


class Meant(Exception):
    """A failure that the workload asks for."""


def mark(run: str, number: int, event: str) -> None:
    line = f"{run} {number} {event} {os.getpid()} {os.getppid()} {time.monotonic_ns()}\n"
    handle = os.open(Path(os.environ["DSQ_EVIDENCE"], "runs"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)


@contextmanager
def noted(number: int, ms: int = 0) -> Iterator[str]:
    """A run of task `number` that takes `ms` milliseconds; its name."""
    run = f"{os.getpid()}.{next(_count)}"
    mark(run, number, "start")
    try:
        if ms:
            time.sleep(ms / 1000)
        yield run
    finally:
        mark(run, number, "end")


def plain(number: int, ms: int) -> None:
    with noted(number, ms):
        pass


def prints(number: int, ms: int, size: int = 10) -> str:
    with noted(number, ms) as run:
        print(run, "x" * size)
        return run


def floods(number: int, ms: int) -> str:
    """Prints more than the board has room for."""
    return prints(number, ms, 70_000)


def yields(number: int, ms: int) -> Iterator[str]:
    with noted(number) as run:
        for part in range(3):
            time.sleep(ms / 3000)
            yield f"{run}/{part} "


def fails_once(number: int, ms: int) -> str:
    with noted(number, ms) as run:
        if current_task().attempt == 1:  # type: ignore[union-attr]
            raise Meant(f"run {run}")
        return run


def fails(number: int, ms: int) -> None:
    with noted(number, ms) as run:
        raise Meant(f"run {run}")


def kills_once(number: int, ms: int) -> str:
    """Kills its process the first time."""
    with noted(number, ms) as run:
        try:
            Path(os.environ["DSQ_EVIDENCE"], f"killed-{number}").touch(exist_ok=False)
        except FileExistsError:
            return run
        mark(run, number, "dies")
        os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it lives on")


@task_options(atomic=True)
def adds_one(number: int, ms: int) -> str:
    """One effect, whatever happens: a row."""
    from django_simple_queue.models import Attempt

    with noted(number) as run:
        Attempt.objects.create(
            task_id=current_task().id,  # type: ignore[union-attr]
            number=0,
            ended_at=timezone.now(),
            kind="effect",
        )
        time.sleep(ms / 1000)
        return run
