"""What is measured of this queue; each function empties the task table first."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.apps import counts
from django_simple_queue import create_task, create_tasks
from django_simple_queue.models import Task

NOOP = "benchmarks.tasks.noop"


def fill(count: int) -> float:
    """Enqueue in bulk; tasks per second."""
    Task.objects.all().delete()
    began = time.perf_counter()
    for start in range(0, count, 5000):
        create_tasks({"task": NOOP, "args": {"n": n}} for n in range(start, min(start + 5000, count)))
    return count / (time.perf_counter() - began)


def worker(*words: str, **more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "django", "task_worker", "--verbosity", "0", *words]
    return subprocess.Popen(command, env=os.environ | more)


def drain(count: int) -> dict[str, float]:
    """A backlog of no-op tasks, one worker with one process: tasks a second between its first and last tenth.

    Statements are counted in the worker's processes, where all of the queue's SQL goes out: transactions and idle looks
    included, all but the one INSERT that registers the worker. What tasks send themselves is not.
    """
    bulk = fill(count)
    with tempfile.TemporaryDirectory() as folder:
        assert worker("--burst", BENCH_COUNTS=folder).wait() == 0
        statements = counts(Path(folder)) / count
    ends = sorted(at.timestamp() for at in Task.objects.filter(status=2).values_list("finished_at", flat=True))
    assert len(ends) == count, f"{len(ends)} of {count} tasks completed"
    low, high = count // 10, count * 9 // 10
    rate = (high - low) / max(ends[high] - ends[low], 1e-3)
    return {"drain /s": rate, "statements a task": statements, "enqueue in bulk /s": bulk}


def one_by_one(count: int) -> float:
    """Enqueue each in a transaction of its own; tasks per second."""
    Task.objects.all().delete()
    began = time.perf_counter()
    for n in range(count):
        create_task(NOOP, {"n": n})
    return count / (time.perf_counter() - began)


@contextmanager
def idle_worker(stamps: str) -> Iterator[subprocess.Popen[bytes]]:
    process = worker(BENCH_STAMPS=stamps)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def latency(count: int) -> dict[str, float]:
    """From commit to start on an idle worker, in ms; and the memory of its tree."""
    Task.objects.all().delete()
    with tempfile.TemporaryDirectory() as folder:
        stamps = Path(folder) / "stamps"
        with idle_worker(str(stamps)) as process:
            create_task("benchmarks.tasks.stamp", {"n": -1})
            _until(lambda: stamps.exists())
            made = []
            for n in range(count):
                time.sleep(0.2 + n % 7 * 0.03)
                create_task("benchmarks.tasks.stamp", {"n": n})
                made.append(time.time())
            _until(lambda: len(stamps.read_text().splitlines()) > count)
            memory = pss_mb(process.pid)
        ran = {int(n): float(at) for n, at in (line.split() for line in stamps.read_text().splitlines())}
    waits = sorted((ran[n] - at) * 1000 for n, at in enumerate(made))
    return {"latency p50 ms": waits[count // 2], "latency p95 ms": waits[int(count * 0.95)], "PSS MB": memory}


def pss_mb(pid: int) -> float:
    """Of a process and its children; 0 where /proc does not say. What others map too counts in part."""
    total = 0
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *children):
            found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{one}/smaps_rollup").read_text(), re.M)
            total += int(found.group(1)) if found else 0
    except OSError:
        return 0.0
    return total / 1024


def _until(there: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "the worker did not run its tasks in time"
        time.sleep(0.02)
