"""The queue on the database that BENCH_URL names, and its tasks."""

from __future__ import annotations

import os
import time
from typing import Any
from urllib.parse import urlsplit

from huey import PostgresHuey, SqliteHuey
from huey.contrib.sql_huey import SqlHuey

from benchmarks import tasks

NAME = "bench"


def _huey(url: str) -> Any:
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        # fsync: PRAGMA synchronous=FULL; it waits for others as long as the Django peers do.
        return SqliteHuey(NAME, filename=parts.path[1:], fsync=True, timeout=20)
    if parts.scheme.startswith("postgres"):
        return PostgresHuey(NAME, dsn=url)
    from peewee import MySQLDatabase

    return SqlHuey(
        NAME,
        database=MySQLDatabase(
            parts.path[1:],
            host=parts.hostname,
            port=parts.port or 3306,
            user=parts.username or "root",
            password=parts.password or "",
        ),
    )


huey = _huey(os.environ["BENCH_URL"])


@huey.task()
def noop(n: int) -> None:
    pass


@huey.task()
def sleep1(n: int) -> None:
    time.sleep(0.001)


@huey.task()
def sleep20(n: int) -> None:
    time.sleep(0.020)


@huey.task()
def stamp(n: int) -> None:
    tasks.stamp(n)
