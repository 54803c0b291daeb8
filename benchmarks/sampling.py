"""Samples what a worker's processes spend CPU on, if BENCH_PROFILE names a folder to leave the counts in."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType

from benchmarks.counters import counters, totals

# By file and function, from the innermost frame outwards: the first that is met says to which part a sample belongs.
PARTS = {
    "the task and its arguments": {("executor.py", "_call"), ("executor.py", "call")},
    "the database's driver": {("utils.py", "execute"), ("cursor.py", "fetchall"), ("base.py", "execute")},
    "claiming": {("intake.py", "claim")},
    "storing": {("runner.py", "flush"), ("runner.py", "turn_over"), ("beside.py", "_store")},
    "putting the process in order": {("executor.py", "_tidy"), ("runner.py", "_end_if_crippled")},
    "the task's context and output": {("executor.py", "_run"), ("executor.py", "run")},
    "the board": {("runner.py", "start"), ("runner.py", "keep")},
    "the runner's loop": {("runner.py", "run"), ("runner.py", "work")},
    "the keeper": {("keeper.py", "run")},
}
PLACES = {place: index for index, places in enumerate(PARTS.values()) for place in places}
NAMES = [*PARTS, "the supervisor"]
EVERY = 0.001  # seconds of CPU; the system's clock may be slower


def sample(folder: Path) -> None:
    """In each process that is forked from this one, with a file of its own."""
    os.register_at_fork(after_in_child=lambda: _start(folder))


def _start(folder: Path) -> None:
    counts = counters(folder, len(NAMES))

    def on_tick(number: int, frame: FrameType | None) -> None:
        while frame is not None:
            code = frame.f_code
            place = PLACES.get((os.path.basename(code.co_filename), code.co_name))
            if place is not None:
                counts[place] += 1
                return
            frame = frame.f_back
        counts[-1] += 1

    signal.signal(signal.SIGPROF, on_tick)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)


def samples(folder: Path) -> dict[str, int]:
    """Of all processes together, by part."""
    return dict(zip(NAMES, totals(folder, len(NAMES)), strict=True))
