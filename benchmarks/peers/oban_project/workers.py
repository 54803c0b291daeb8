"""The tasks."""

from __future__ import annotations

import asyncio
import os
import time

from oban import job


@job(queue="bench")
async def noop(n: int) -> None:
    pass


@job(queue="bench")
async def sleep1(n: int) -> None:
    await asyncio.sleep(0.001)


@job(queue="bench")
async def sleep20(n: int) -> None:
    await asyncio.sleep(0.020)


@job(queue="bench")
async def stamp(n: int) -> None:
    file = os.open(os.environ["BENCH_STAMPS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{n} {time.time():.6f}\n".encode("ascii"))
    os.close(file)
