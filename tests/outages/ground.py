"""A database server of the test's own, which may be stopped, killed, given another clock, filled up or cut off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import dj_database_url
from django.db import Error, connection, connections
from django.db.utils import load_backend

from compat_matrix import matrix
from compat_matrix.faketime import at_another_time
from compat_matrix.matrix import Database
from compat_matrix.processes import ServerProcess
from compat_matrix.servers import Server, server
from tests.chaos.proxy import Proxy

from .small import Small

ROOT = Path(__file__).parents[2]
P = TypeVar("P", bound=Proxy)
NAME = "dsq_outages"
# A server that somebody named or a container cannot be started on another clock.
SOURCES = ("machine", "debian")


class Ground:
    """One server and one migrated database on it."""

    def __init__(self, row: Database, running: Server) -> None:
        assert running.process is not None
        self.row = row
        self.process: ServerProcess = running.process
        self.usual_command = [str(word) for word in self.process.command]
        # As Django has them when it has read its settings.
        missing = {"TIME_ZONE": None, "ATOMIC_REQUESTS": False, "AUTOCOMMIT": True, "TEST": {}}
        self.direct = missing | dict(dj_database_url.parse(running.url, conn_health_checks=False))
        if row.kind != "postgresql":
            self.direct["OPTIONS"] = {"charset": "utf8mb4"}
        self.direct.setdefault("OPTIONS", {})
        self.admin = dict(self.direct)

    def make_database(self) -> None:
        with working_on(self.admin):
            charset = "" if self.row.kind == "postgresql" else " CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
            ask(f"CREATE DATABASE {NAME}{charset}")
        self.direct["NAME"] = NAME
        migrate(self.direct)

    def behind_proxy(self, kind: type[P]) -> tuple[P, dict[str, Any]]:
        """An address of its own for one worker."""
        proxy = kind(self.direct["HOST"], int(self.direct["PORT"]))
        return proxy, self.direct | {"HOST": "127.0.0.1", "PORT": proxy.port}

    def plain_user(self) -> dict[str, str]:
        """Settings of a user with no rights but to this database: with more, read-only may not mean him."""
        if self.row.kind == "postgresql":
            return {}
        ask("CREATE USER IF NOT EXISTS plain@'127.0.0.1'")
        ask(f"GRANT ALL PRIVILEGES ON {NAME}.* TO plain@'127.0.0.1'")
        return {"USER": "plain"}

    @property
    def data(self) -> Path:
        """Its data folder, which the command that starts it names."""
        options = {"postgresql": "-D"}
        option = options.get(self.row.kind, "--datadir=")
        return Path(next(word for word in map(str, self.usual_command) if word.startswith(option)).removeprefix(option))

    def start(self, *, clock: str | None = None) -> None:
        """Start it on its data, with a clock that is off by `clock`, as "+1h"."""
        before = at_another_time(self.row.suite or "", clock) if clock else []
        self._start([*before, *self.usual_command])

    def start_on(self, small: Small) -> None:
        """Start it on a copy of its data that lies on a small file system; it must be stopped."""
        small.copy(self.data)
        if self.row.kind == "postgresql":
            self._start([word.replace(str(self.data), str(small.data)) for word in self.usual_command])
            ask("SELECT pg_switch_wal()")  # a new segment takes its room now: without one the server would end
            ask("CHECKPOINT")
        else:
            inside = [word.replace(str(self.data), str(small.inside)) for word in self.usual_command]
            # MariaDB follows no links to its tables. It may be root there, who is nobody elsewhere. With a binary log
            # MySQL would look for room once a minute.
            self._start([*small.enter, *inside, "--user=root", "--skip-log-bin"])

    def _start(self, command: list[str]) -> None:
        self.process.command = command
        self.process.ready = self.answers  # what a killed server's files say may be old
        self.process.start()

    def answers(self) -> bool:
        try:
            with working_on(self.direct):
                return bool(ask("SELECT 1"))
        except Error:
            return False

    def as_usual(self) -> None:
        """Whatever a test has done to it: it runs, with its own clock."""
        if self.process.command != self.usual_command:
            self.process.stop()
        if self.process.process is None or self.process.process.poll() is not None:
            self.start()


def own_row() -> Database:
    """The row of the matrix that the test run's database belongs to."""
    if connection.vendor == "sqlite":
        return matrix.load().database("sqlite")
    with connection._nodb_cursor() as cursor:  # the test run may have made no database yet
        cursor.execute("SELECT VERSION()")
        said: str = cursor.fetchone()[0]
    for row in matrix.load().databases:
        is_kind = row.kind in said.lower() or (row.kind == "mysql" and "MariaDB" not in said)
        if is_kind and said.removeprefix("PostgreSQL ").startswith(f"{row.version}."):
            return row
    raise LookupError(f"{said} is not in the matrix")


@contextmanager
def own_ground(row: Database) -> Iterator[Ground]:
    with server(row, SOURCES) as running:
        made = Ground(row, running)
        made.make_database()
        yield made


def migrate(database: dict[str, Any]) -> None:
    """In a process of its own, so that nothing of that database is remembered here."""
    command = [sys.executable, "-m", "django", "migrate", "-v0", "django_simple_queue"]
    done = subprocess.run(command, env=environment(database), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def sqlite_file(folder: Path) -> dict[str, Any]:
    name = str(folder / "db.sqlite3")
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": {"timeout": 20}}


def environment(database: dict[str, Any]) -> dict[str, str]:
    """For a process that works on `database`."""
    search_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.worker.settings",
        "DSQ_TEST_DATABASES_JSON": json.dumps({"default": database}),
        "PYTHONPATH": search_path,
        "PYTHONUNBUFFERED": "1",
    }


def on_database(database: dict[str, Any]) -> dict[str, str]:
    """What Stage.command needs to know for a process that works on another address than the stage's."""
    name = "DSQ_TEST_DATABASES_JSON"
    return {name: environment(database)[name]}


@contextmanager
def working_on(database: dict[str, Any]) -> Iterator[None]:
    """Let the default alias of this thread be `database` instead of the test run's."""
    usual = connections["default"]
    full = {name: value for name, value in usual.settings_dict.items() if name not in ("NAME", "OPTIONS")} | database
    connections["default"] = load_backend(database["ENGINE"]).DatabaseWrapper(full, "default")
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = usual


def ask(sql: str, params: Any = None) -> Any:
    """One value, or None from a statement that returns none."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found = cursor.fetchone() if cursor.description else None
    return found[0] if found else None
