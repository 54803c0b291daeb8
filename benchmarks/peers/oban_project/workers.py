"""The tasks."""

from __future__ import annotations

import asyncio

from oban import job

from benchmarks import tasks


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
    tasks.stamp(n)
