"""huey, on its own storages for PostgreSQL and SQLite and on peewee for MySQL and MariaDB.

It cannot run tasks at least once: a claim deletes the row, and a crash loses the task. So it does less than the others.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from benchmarks.peers.peer import Peer


class Huey(Peer):
    """One consumer; several processes are its own option. A task counts as done when its row is gone: at its claim."""

    name = "huey"
    requirements = ("huey>=3.5.4", "psycopg[binary]>=3.2", "peewee>=3.17", "mysqlclient>=2.2")
    databases = ("sqlite", "postgresql", "mysql", "mariadb")
    configurations = {
        # Its defaults: it looks after 0.1 s when idle, then less and less often, up to each 10 s. On PostgreSQL it
        # listens.
        "recommended": {},
        # It looks each 10 ms when idle; it has no periodic tasks to look for.
        "best": {"words": ["--delay", "0.01", "--max-delay", "0.01", "--no-periodic"]},
    }

    @property
    def left(self) -> str:  # type: ignore[override]
        return f"SELECT COUNT(*) FROM {self.table}"

    @property
    def table(self) -> str:
        return "huey_task" if self.url.startswith("postgres") else "task"

    @property
    def app(self) -> Any:
        os.environ["BENCH_URL"] = self.url
        from benchmarks.peers.huey_project import app

        return app

    def prepare(self) -> None:
        self.app.huey.storage.initialize_schema()

    def empty(self) -> None:
        self.app.huey.flush()

    def fill(self, kind: str, count: int) -> None:
        # It has no bulk insert: the rows that its enqueue() makes, in one transaction.
        storage, task = self.app.huey.storage, getattr(self.app, kind)
        if self.url.startswith("mysql"):
            self.add_in_transaction(kind, count)
            return
        mark = "?" if self.url.startswith("sqlite") else "%s"
        insert = f"INSERT INTO {self.table} (queue, data, priority) VALUES ({mark}, {mark}, 0)"
        rows = [(storage.name, self.app.huey.serialize_task(task.s(n))) for n in range(count)]
        with storage.db(commit=True) as cursor:
            cursor.executemany(insert, rows)

    def add(self, kind: str, n: int) -> None:
        getattr(self.app, kind)(n)

    def add_in_transaction(self, kind: str, count: int) -> None:
        if not self.url.startswith("mysql"):
            raise NotImplementedError("its own storages commit each task")
        with self.app.huey.storage.atomic():
            for n in range(count):
                self.add(kind, n)

    def close(self) -> None:
        self.app.huey.storage.close()

    def workers(self, configuration: str, processes: int) -> list[list[str]]:
        # One worker is a thread of the consumer, more are processes of their own: the threads share one connection.
        kind = "process" if processes > 1 else "thread"
        words = ["--workers", str(processes), "--worker-type", kind, "--quiet"]
        words += self.configurations[configuration].get("words", [])
        consumer = [sys.executable, "-m", "huey.bin.huey_consumer", "benchmarks.peers.huey_project.app.huey"]
        return [["env", f"BENCH_URL={self.url}", *consumer, *words]]
