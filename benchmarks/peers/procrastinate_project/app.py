"""The app on the database that BENCH_URL names, and its tasks."""

from __future__ import annotations

import asyncio
import os

from procrastinate import App, PsycopgConnector

from benchmarks import tasks

app = App(connector=PsycopgConnector(conninfo=os.environ["BENCH_URL"]))


@app.task(name="noop")
async def noop(n: int) -> None:
    pass


@app.task(name="sleep1")
async def sleep1(n: int) -> None:
    await asyncio.sleep(0.001)


@app.task(name="sleep20")
async def sleep20(n: int) -> None:
    await asyncio.sleep(0.020)


@app.task(name="stamp")
async def stamp(n: int) -> None:
    tasks.stamp(n)
