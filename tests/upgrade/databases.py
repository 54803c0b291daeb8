"""Databases of their own for the upgrade tests, beside the one that the test run has."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

ALIAS = "upgrade"


@contextmanager
def scratch_database(folder: Path) -> Iterator[BaseDatabaseWrapper]:
    """A new empty database on the server of the default alias, as alias "upgrade"; dropped at the end."""
    default = connections["default"]
    settings = dict(default.settings_dict)
    if default.vendor == "sqlite":
        settings["NAME"] = str(folder / "upgrade.sqlite3")
    else:
        settings["NAME"] = f"dsq_upgrade_{uuid.uuid4().hex[:12]}"
        on_server(default, f"CREATE DATABASE {default.ops.quote_name(settings['NAME'])}{character_set(default)}")
    connections.settings[ALIAS] = settings
    try:
        yield connections[ALIAS]
    finally:
        connections[ALIAS].close()
        del connections[ALIAS], connections.settings[ALIAS]
        if default.vendor != "sqlite":
            force = " WITH (FORCE)" if default.vendor == "postgresql" else ""
            on_server(default, f"DROP DATABASE {default.ops.quote_name(settings['NAME'])}{force}")


def on_server(connection: BaseDatabaseWrapper, sql: str) -> None:
    with connection._nodb_cursor() as cursor:
        cursor.execute(sql)


def character_set(connection: BaseDatabaseWrapper) -> str:
    return " CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci" if connection.vendor == "mysql" else ""


def rows(connection: BaseDatabaseWrapper, sql: str, params: Any = None) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
