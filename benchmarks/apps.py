"""Counts the statements that a worker's processes send, if BENCH_COUNTS names a folder to leave the counts in.

And has them sampled if BENCH_PROFILE names one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.apps import AppConfig

from benchmarks.counters import counters
from benchmarks.sampling import sample


class BenchmarksConfig(AppConfig):
    name = "benchmarks"

    def ready(self) -> None:
        if folder := os.environ.get("BENCH_COUNTS"):
            count_statements(Path(folder))
        if folder := os.environ.get("BENCH_PROFILE"):
            sample(Path(folder))


def count_statements(folder: Path) -> None:
    from django_simple_queue.backends.session import Session

    of_process: dict[int, memoryview] = {}

    def counted(method: Any) -> Any:
        def wrapper(self: Session, *args: Any, **kwargs: Any) -> Any:
            pid = os.getpid()
            if pid not in of_process:
                of_process[pid] = counters(folder, 1)
            of_process[pid][0] += 1
            return method(self, *args, **kwargs)

        return wrapper

    Session.rows = counted(Session.rows)  # type: ignore[method-assign]
    Session.write = counted(Session.write)  # type: ignore[method-assign]
