"""Reads matrix.toml, the one list of Pythons, Djangos and databases."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MATRIX_FILE = Path(__file__).with_name("matrix.toml")


def version_key(version: str) -> tuple[int, ...]:
    """Order versions as numbers: "3.9" before "3.10"."""
    return tuple(int(part) for part in version.split("."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Django:
    version: str
    oldest_python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One row of the list; package, suite and image are None where there is no server to start."""

    name: str
    kind: str
    session: str
    version: str
    drivers: tuple[str, ...]
    highest_django: str
    package: str | None = None
    suite: str | None = None
    image: str | None = None

    @property
    def url_variable(self) -> str:
        return f"DSQ_{self.name.upper().replace('-', '_').replace('.', '_')}_URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    pythons: tuple[str, ...]
    djangos: tuple[Django, ...]
    databases: tuple[Database, ...]

    def database(self, name: str) -> Database:
        for database in self.databases:
            if database.name == name:
                return database
        known = ", ".join(database.name for database in self.databases)
        raise LookupError(f"{name!r} is no database of {MATRIX_FILE.name}. It has: {known}.")

    def of_session(self, session: str) -> tuple[Database, ...]:
        return tuple(database for database in self.databases if database.session == session)

    def newest_django(self, database: Database, python: str) -> Django:
        """The newest Django that both this server and this Python can be used with."""
        return max(
            (
                django
                for django in self.djangos
                if version_key(django.version) <= version_key(database.highest_django)
                and version_key(django.oldest_python) <= version_key(python)
            ),
            key=lambda django: version_key(django.version),
        )


@cache
def load() -> Matrix:
    content: dict[str, Any] = tomllib.loads(MATRIX_FILE.read_text(encoding="utf-8"))
    return Matrix(
        pythons=tuple(row["version"] for row in content["python"]),
        djangos=tuple(Django(**row) for row in content["django"]),
        databases=tuple(Database(**row | {"drivers": tuple(row["drivers"])}) for row in content["database"]),
    )
