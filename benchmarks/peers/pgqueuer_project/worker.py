"""A worker process on the database that BENCH_URL names: its tasks, and batches of as many as the argument says."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.models import Job

from benchmarks import tasks


async def main(batch_size: int) -> None:
    queue = PgQueuer.from_asyncpg_connection(await asyncpg.connect(os.environ["BENCH_URL"]))

    @queue.entrypoint("noop")
    async def noop(job: Job) -> None:
        pass

    @queue.entrypoint("sleep1")
    async def sleep1(job: Job) -> None:
        await asyncio.sleep(0.001)

    @queue.entrypoint("sleep20")
    async def sleep20(job: Job) -> None:
        await asyncio.sleep(0.020)

    @queue.entrypoint("stamp")
    async def stamp(job: Job) -> None:
        tasks.stamp(int(job.payload or b"0"))

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, queue.shutdown.set)
    await queue.run(batch_size=batch_size)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
