"""pgqueuer: asyncio on asyncpg; a claim of a batch, finished tasks are logged by the batch, NOTIFY by a trigger."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.peers.peer import Peer, chunks


class PgQueuer(Peer):
    """Each process is a node of its own; the tasks of a batch run at once."""

    name = "pgqueuer"
    requirements = ("pgqueuer>=1.6", "asyncpg>=0.30", "uvloop>=0.21")
    databases = ("postgresql",)
    configurations = {
        # Its default batch.
        "recommended": {"batch_size": 10},
        # Claims and finishes of 100; larger ones gain nothing.
        "best": {"batch_size": 100},
    }
    left = "SELECT COUNT(*) FROM pgqueuer"
    # All of its tables are to survive a crash.
    environment = {"PGQUEUER_DURABILITY": "durable"}

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.runner = asyncio.Runner()
        self.connection: Any = None

    def run(self, work: Callable[[Any], Awaitable[Any]]) -> None:
        """`work(queries)`, on one connection that stays."""

        async def main() -> None:
            import asyncpg
            from pgqueuer.queries import Queries

            if self.connection is None:
                self.connection = await asyncpg.connect(self.url)
            await work(Queries.from_asyncpg_connection(self.connection))

        self.runner.run(main())

    def prepare(self) -> None:
        self.run(lambda queries: queries.install())

    def empty(self) -> None:
        async def clear(queries: Any) -> None:
            await queries.clear_queue()
            await queries.clear_queue_log()
            await queries.clear_statistics_log()

        self.run(clear)

    def fill(self, kind: str, count: int) -> None:
        async def enqueue(queries: Any) -> None:
            for numbers in chunks(count):
                payloads = [str(n).encode() for n in numbers]
                await queries.enqueue([kind] * len(numbers), payloads, [0] * len(numbers))

        self.run(enqueue)

    def add(self, kind: str, n: int) -> None:
        self.run(lambda queries: queries.enqueue(kind, str(n).encode()))

    def add_in_transaction(self, kind: str, count: int) -> None:
        async def enqueue(queries: Any) -> None:
            async with self.connection.transaction():
                for n in range(count):
                    await queries.enqueue(kind, str(n).encode())

        self.run(enqueue)

    def workers(self, configuration: str, processes: int) -> list[list[str]]:
        # Not its own command line, which does not start with typer 0.29.
        command = ["env", f"BENCH_URL={self.url}", sys.executable, "-m", "benchmarks.peers.pgqueuer_project.worker"]
        return [[*command, str(self.configurations[configuration]["batch_size"])]] * processes

    def at_once(self, configuration: str, tasks: int) -> list[list[str]]:
        raise NotImplementedError("how many tasks run at once follows from its batches")

    def close(self) -> None:
        if self.connection is not None:
            self.runner.run(self.connection.close())
