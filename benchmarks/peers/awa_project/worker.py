"""A worker process: its tasks, and the client that runs them until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import dataclass

import awa

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
    file = os.open(os.environ["BENCH_STAMPS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{job.args.n} {time.time():.6f}\n".encode("ascii"))
    os.close(file)


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
