"""The app on the database that BENCH_URL names, and its tasks."""

from __future__ import annotations

import asyncio
import os
import time

from procrastinate import App, PsycopgConnector

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
    file = os.open(os.environ["BENCH_STAMPS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{n} {time.time():.6f}\n".encode("ascii"))
    os.close(file)
