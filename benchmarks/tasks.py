"""The tasks that all queues are measured with, as plain functions."""

from __future__ import annotations

import os
import time


def noop(n: int) -> None:
    pass


def sleep1(n: int) -> None:
    time.sleep(0.001)


def sleep20(n: int) -> None:
    time.sleep(0.020)


def stamp(n: int) -> None:
    """Write down when this ran: one write, so that lines of several processes do not mix."""
    file = os.open(os.environ["BENCH_STAMPS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{n} {time.time():.6f}\n".encode("ascii"))
    os.close(file)
