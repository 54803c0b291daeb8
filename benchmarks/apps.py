"""Counts the statements that a worker's processes send, if BENCH_COUNTS names a folder to leave the counts in.

And has them sampled if BENCH_PROFILE names one.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

from django.apps import AppConfig

from benchmarks.sampling import sample


class BenchmarksConfig(AppConfig):
    name = "benchmarks"

    def ready(self) -> None:
        if folder := os.environ.get("BENCH_COUNTS"):
            count_statements(Path(folder))
        if folder := os.environ.get("BENCH_PROFILE"):
            sample(Path(folder))


def count_statements(folder: Path) -> None:
    """Each process counts in a file of its own: they may be killed at any time and share nothing."""
    from django_simple_queue.backends.session import Session

    counters: dict[int, mmap.mmap] = {}

    def counted(method: Any) -> Any:
        def wrapper(self: Session, *args: Any, **kwargs: Any) -> Any:
            pid = os.getpid()
            if pid not in counters:
                path = folder / str(pid)
                path.write_bytes(bytes(8))
                with path.open("r+b") as file:
                    counters[pid] = mmap.mmap(file.fileno(), 8)
            memory = counters[pid]
            memory[:8] = (int.from_bytes(memory[:8], "little") + 1).to_bytes(8, "little")
            return method(self, *args, **kwargs)

        return wrapper

    Session.rows = counted(Session.rows)  # type: ignore[method-assign]
    Session.write = counted(Session.write)  # type: ignore[method-assign]
