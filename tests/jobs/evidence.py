"""Callables that leave evidence of their runs in files, so that nothing depends on what the queue itself says.

A run appends one line to a file of the folder DSQ_EVIDENCE; lines are short, so appending is atomic.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

from django_simple_queue import current_task


def note(what: str, detail: object = "") -> None:
    """Append `what`, this process's id, the task's id and `detail` to the evidence."""
    task = current_task()
    line = f"{what} {os.getpid()} {task.id if task else '-'} {detail}\n"
    fd = os.open(os.path.join(os.environ["DSQ_EVIDENCE"], "runs"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, line.encode())
    finally:
        os.close(fd)


def run(seconds: float = 0.0, text: str | None = None, **kwargs: Any) -> str | None:
    """Note the start, sleep, note the end."""
    note("start")
    if seconds:
        time.sleep(seconds)
    note("end")
    return text


def among() -> None:
    """Note how many threads this process has."""
    note("start", threading.active_count())


def wait_for(name: str, text: str | None = None, seconds: float = 60.0) -> str | None:
    """Run until the file `name` of the evidence exists."""
    note("start")
    end = time.monotonic() + seconds
    while not os.path.exists(os.path.join(os.environ["DSQ_EVIDENCE"], name)):
        if time.monotonic() > end:
            raise TimeoutError(name)
        time.sleep(0.01)
    note("end")
    return text


def until_cancelled() -> None:
    """Poll as a well-behaved task does."""
    note("start")
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if current_task().is_cancelled():  # type: ignore[union-attr]
            note("cancelled")
            raise InterruptedError("asked to cancel")
        time.sleep(0.01)


def counting(parts: int, seconds: float = 0.0) -> Iterator[str]:
    for i in range(parts):
        if seconds:
            time.sleep(seconds)
        yield f"{i} "


def varied(size: int) -> str:
    """An output of `size` characters."""
    return "x" * size


def spin(seconds: float) -> None:
    """Busy in Python, with no call that a signal interrupts."""
    note("start")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    note("end")


def enqueue_more(depth: int) -> None:
    """A task that enqueues the next one."""
    from django_simple_queue import create_task

    note("start")
    if depth:
        create_task("tests.jobs.evidence.enqueue_more", {"depth": depth - 1})


def tells(name: str, times: int = 20) -> None:
    """Print its name again and again, slowly enough for others to come between."""
    for _ in range(times):
        print(name)
        time.sleep(0.002)


def asks_the_database() -> str:
    from django_simple_queue.models import Task

    note("start")
    return str(Task.objects.count())


def open_files_of_a_child() -> str:
    """The files that a program started by a task finds open."""
    return subprocess.run(["ls", "/proc/self/fd"], capture_output=True, text=True, check=True).stdout


def signals_of_a_child() -> str:
    """Which signals a program started by a task would ignore or not get."""
    command = ["grep", "-E", "SigIgn|SigBlk", "/proc/self/status"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def by_turns(turns: list[str]) -> str:
    """Each run does the next thing: fail, die or end."""
    with open(os.path.join(os.environ["DSQ_EVIDENCE"], "runs")) as file:
        before = sum(line.split(" ", 3)[::2][:2] == ["start", str(current_task().id)] for line in file)  # type: ignore[union-attr]
    note("start")
    turn = turns[before]
    if turn == "fail":
        raise ValueError(f"run {before + 1} fails")
    if turn == "die":
        os._exit(4)
    return "ended"
