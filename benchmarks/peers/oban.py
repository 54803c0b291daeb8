"""Oban for Python, the edition without the paid Pro package: asyncio, NOTIFY, one UPDATE for each finished job."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from benchmarks.peers.peer import Peer, chunks


class Oban(Peer):
    """Each process is a node of its own."""

    name = "oban"
    requirements = ("oban>=0.7", "psycopg[binary]>=3.2.13")
    python = "3.12"
    databases = ("postgresql",)
    configurations = {
        # Its documentation's: ten jobs at a time, ten connections at most.
        "recommended": {"limit": 10, "pool": 10},
        # More jobs at a time, so that a claim fetches more; more connections, for each finished job needs one.
        "best": {"limit": 100, "pool": 20},
    }
    left = "SELECT COUNT(*) FROM oban_jobs WHERE state IN ('available', 'scheduled', 'executing', 'retryable')"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.runner = asyncio.Runner()
        self.queue: Any = None

    def run(self, work: Any) -> None:
        """`work(oban, pool)`, a coroutine function, with a client that runs no jobs."""

        async def main() -> None:
            import oban

            if self.queue is None:
                pool = await oban.Oban.create_pool(self.url, min_size=1, max_size=2)
                self.queue = oban.Oban(pool=pool), pool
            await work(*self.queue)

        self.runner.run(main())

    def job(self, kind: str, n: int) -> Any:
        from benchmarks.peers.oban_project import workers

        return getattr(workers, kind).new(n)

    def prepare(self) -> None:
        async def install(queue: Any, pool: Any) -> None:
            from oban import schema

            await schema.install(pool)

        self.run(install)

    def empty(self) -> None:
        async def truncate(queue: Any, pool: Any) -> None:
            async with pool.connection() as connection:
                await connection.execute("TRUNCATE oban_jobs")

        self.run(truncate)

    def fill(self, kind: str, count: int) -> None:
        async def enqueue(queue: Any, pool: Any) -> None:
            for numbers in chunks(count, 1000):
                await queue.enqueue_many(self.job(kind, n) for n in numbers)

        self.run(enqueue)

    def add(self, kind: str, n: int) -> None:
        async def enqueue(queue: Any, pool: Any) -> None:
            await queue.enqueue(self.job(kind, n))

        self.run(enqueue)

    def add_in_transaction(self, kind: str, count: int) -> None:
        async def enqueue(queue: Any, pool: Any) -> None:
            async with pool.connection() as connection, connection.transaction():
                for n in range(count):
                    await queue.enqueue(self.job(kind, n), conn=connection)

        self.run(enqueue)

    def close(self) -> None:
        async def close(queue: Any, pool: Any) -> None:
            await pool.close()

        self.run(close)
        self.runner.close()

    def workers(self, configuration: str, processes: int) -> list[list[str]]:
        return [self.command(**self.configurations[configuration])] * processes

    def at_once(self, configuration: str, tasks: int) -> list[list[str]]:
        return [self.command(**self.configurations[configuration] | {"limit": tasks})]

    def command(self, limit: int, pool: int) -> list[str]:
        start = [sys.executable, "-m", "oban", "start", "--dsn", self.url, "--log-level", "WARNING"]
        start += ["--queues", f"bench:{limit}", "--pool-max-size", str(pool)]
        return [*start, "--cron-modules", "benchmarks.peers.oban_project.workers"]
