"""What the benchmarks' tasks do: next to nothing."""

from __future__ import annotations

import os
import time


def noop(n: int = 0) -> None:
    pass


def stamp(n: int) -> None:
    """Write down when this ran, for the latency from commit to start."""
    with open(os.environ["BENCH_STAMPS"], "a", encoding="ascii") as file:
        file.write(f"{n} {time.time():.6f}\n")
