"""A worker process: its tasks, and the client that runs them until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import dataclass

import awa

from benchmarks import tasks

QUEUE = "bench"


@dataclass
class Noop:
    n: int


@dataclass
class Sleep1:
    n: int


@dataclass
class Sleep20:
    n: int


@dataclass
class Stamp:
    n: int


KINDS = {"noop": Noop, "sleep1": Sleep1, "sleep20": Sleep20, "stamp": Stamp}


async def noop(job: awa.Job) -> None:
    pass


async def sleep1(job: awa.Job) -> None:
    await asyncio.sleep(0.001)


async def sleep20(job: awa.Job) -> None:
    await asyncio.sleep(0.020)


async def stamp(job: awa.Job) -> None:
    tasks.stamp(job.args.n)


async def main(url: str, setting: dict[str, int]) -> None:
    client = awa.AsyncClient(url)
    for run in (noop, sleep1, sleep20, stamp):
        client.task(KINDS[run.__name__], queue=QUEUE)(run)
    await client.start([{"name": QUEUE, **setting}])
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await client.shutdown()
    await client.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
