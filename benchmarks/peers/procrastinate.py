"""procrastinate: asyncio on psycopg 3; a function in the database claims one job, another one finishes it."""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.peers.peer import Peer, chunks


class Procrastinate(Peer):
    """Each process is a worker of its own; its jobs are coroutines."""

    name = "procrastinate"
    requirements = ("procrastinate>=3.10", "psycopg[binary]>=3.2")
    databases = ("postgresql",)
    configurations = {
        # Its defaults: one job at a time, a pool of ten connections.
        "recommended": {"words": []},
        # Its own advice for many short jobs: several at a time; finished jobs are deleted.
        "best": {"words": ["--concurrency", "20", "--delete-jobs", "always"]},
    }
    left = "SELECT COUNT(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.opened: Any = None
        self.connection: Any = None

    @property
    def app(self) -> Any:
        if self.opened is None:
            import psycopg
            from procrastinate import App, SyncPsycopgConnector

            self.opened = App(connector=SyncPsycopgConnector(conninfo=self.url, min_size=1, max_size=1))
            self.opened.open()
            self.connection = psycopg.connect(self.url, autocommit=True)
        return self.opened

    def prepare(self) -> None:
        self.app.schema_manager.apply_schema()

    def empty(self) -> None:
        self.app  # noqa: B018 - opens the connection
        self.connection.execute("TRUNCATE procrastinate_jobs, procrastinate_events CASCADE")

    def fill(self, kind: str, count: int) -> None:
        task = self.app.configure_task(kind)
        for numbers in chunks(count):
            task.batch_defer(*({"n": n} for n in numbers))

    def add(self, kind: str, n: int) -> None:
        self.app.configure_task(kind).defer(n=n)

    def add_in_transaction(self, kind: str, count: int) -> None:
        app = self.app
        with self.connection.transaction():
            for n in range(count):
                app.configure_task(kind, connection=self.connection).defer(n=n)

    def command(self, *words: str) -> list[str]:
        app = "benchmarks.peers.procrastinate_project.app.app"
        start = ["env", f"BENCH_URL={self.url}", sys.executable, "-m", "procrastinate"]
        return [*start, "--app", app, "worker", *words]

    def workers(self, configuration: str, processes: int) -> list[list[str]]:
        return [self.command(*self.configurations[configuration]["words"])] * processes

    def at_once(self, configuration: str, tasks: int) -> list[list[str]]:
        return [self.command(*self.configurations[configuration]["words"], "--concurrency", str(tasks))]

    def close(self) -> None:
        if self.opened is not None:
            self.connection.close()
            self.opened.close()
