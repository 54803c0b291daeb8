"""A peer's own database on a server, and what that server counts."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from benchmarks.driver import processes

# How each answers "how many statements"; PostgreSQL itself counts transactions.
COUNTED = {"postgresql": "transactions", "mysql": "statements", "mariadb": "statements"}


class Database:
    """`server` is the URL of a database on it. Connections of our own are counted, to be taken off again."""

    def __init__(self, kind: str, server: str, name: str) -> None:
        self.kind = kind
        self.name = name
        self.server = server
        parts = urlsplit(server)
        path = f"{Path(parts.path).parent}/{name}.sqlite3" if kind == "sqlite" else f"/{name}"
        # Slashes before the path of a file: urlunsplit leaves them out where there is no host.
        self.url = f"sqlite://{path}" if kind == "sqlite" else urlunsplit(parts._replace(path=path))
        self.pid = processes.listening_on(parts.port) if parts.port else None
        self.own: Any = None
        self.own_backend: int | None = None
        self.asked = 0
        self.counted = COUNTED.get(kind, "statements")

    def create(self) -> None:
        """Empty, whatever was there."""
        if self.kind == "sqlite":
            for end in ("", "-wal", "-shm"):
                Path(self.path + end).unlink(missing_ok=True)
            return
        force = " WITH (FORCE)" if self.kind == "postgresql" else ""
        self.on_server(f"DROP DATABASE IF EXISTS {self.name}{force}")
        self.on_server(f"CREATE DATABASE {self.name}")

    def drop(self) -> None:
        self.close()
        if self.kind == "sqlite":
            self.create()
        else:
            self.on_server(f"DROP DATABASE IF EXISTS {self.name}{' WITH (FORCE)' * (self.kind == 'postgresql')}")

    @property
    def path(self) -> str:
        return "/" + urlsplit(self.url).path.lstrip("/")

    def value(self, sql: str) -> Any:
        """The first value of the first row, on a connection that stays."""
        if self.own is None:
            self.own = self.connect(self.url)
            if self.kind == "postgresql":
                self.own_backend = self.own.info.backend_pid
                # Counting what is left among millions of other rows must not read those, with all cores, each time.
                self.own.execute("SET enable_seqscan = off")
                self.own.execute("SET max_parallel_workers_per_gather = 0")
                self.asked += 2
        self.asked += 1
        return first(self.own, sql)

    def close(self) -> None:
        if self.own is not None:
            self.own.close()
            self.own = None

    def settle(self) -> None:
        """Give the planner fresh statistics, as a server that has been up for a while has them."""
        if self.kind == "postgresql":
            self.value("ANALYZE")
        elif self.kind != "sqlite":
            names = f"SELECT GROUP_CONCAT(table_name) FROM information_schema.tables WHERE table_schema = '{self.name}'"
            self.value("SET SESSION group_concat_max_len = 100000")
            self.value(f"ANALYZE TABLE {self.value(names + ' AND table_type = ' + repr('BASE TABLE'))}")

    def statements(self) -> int | None:
        """What the server has counted in this database without what we sent; only differences mean anything."""
        if self.kind == "sqlite":
            return None
        if self.kind == "postgresql":
            self.close()  # a connection reports when it ends, else once in a while
            sql = f"SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '{self.name}'"
            return int(self.on_server(sql)) - self.asked
        self.asked += 1
        connection = self.connect(self.server)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SHOW GLOBAL STATUS LIKE 'Questions'")
                return int(cursor.fetchone()[1]) - self.asked
        finally:
            connection.close()

    def server_cpu_seconds(self) -> float | None:
        if self.pid is None:
            return None
        return processes.cpu_seconds(self.pid, without=[self.own_backend] if self.own_backend else [])

    def on_server(self, sql: str) -> Any:
        connection = self.connect(self.server)
        try:
            return first(connection, sql)
        finally:
            connection.close()

    def connect(self, url: str) -> Any:
        if self.kind == "sqlite":
            return sqlite3.connect(self.path, timeout=20, isolation_level=None)
        if self.kind == "postgresql":
            import psycopg

            return psycopg.connect(url, autocommit=True)
        import MySQLdb

        parts = urlsplit(url)
        connection = MySQLdb.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=parts.username or "root",
            password=parts.password or "",
            database=parts.path[1:],
        )
        connection.autocommit(True)
        return connection


def first(connection: Any, sql: str) -> Any:
    cursor = connection.cursor()
    cursor.execute(sql)
    row = cursor.fetchone() if cursor.description else None
    cursor.close()
    return row[0] if row else None
