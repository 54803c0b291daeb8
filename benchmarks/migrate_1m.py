"""Times migration 0003, forwards and backwards, on a table of 0.1.x with a million rows.

    DSQ_TEST_DATABASE=URL python -m benchmarks.migrate_1m [--rows N]

It works in a database of its own beside the one that the URL names (SQLite without a URL); the user must be allowed
to create databases. `nox -s migrate_1m` runs it on every database of the matrix.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.db import connections  # noqa: E402

from benchmarks.numbers import PLACES, numbers  # noqa: E402
from tests.upgrade.databases import rows, scratch_database  # noqa: E402
from tests.upgrade.migrating import CURRENT, HEAD_OF_0_1, PUBLISHED, TABLE, migrate  # noqa: E402

# SQL for the id and the time of row number n, which is 0 ... rows - 1.
ROW = {
    "postgresql": ("CAST(md5(CAST(n AS text)) AS uuid)", "TIMESTAMPTZ '2024-01-01' + n * INTERVAL '1 second'"),
    # MariaDB takes only what is a UUID by its version and variant.
    "mysql": (
        "INSERT(INSERT(LEFT(SHA2(n, 256), 32), 13, 1, '4'), 17, 1, '8')",
        "TIMESTAMP('2024-01-01') + INTERVAL n SECOND",
    ),
    "sqlite": ("lower(hex(randomblob(16)))", "strftime('%Y-%m-%d %H:%M:%S', 1704067200 + n, 'unixepoch')"),
}
# One in ten waits, one in twenty has failed, the others are completed.
STATUS = "CASE WHEN n % 10 = 0 THEN 0 WHEN n % 20 = 1 THEN 3 ELSE 2 END"
# A table that is in use has been looked after.
SETTLE = {"postgresql": f"VACUUM (ANALYZE) {TABLE}", "mysql": f"ANALYZE TABLE {TABLE}", "sqlite": "ANALYZE"}


def fill(connection: Any, count: int) -> None:
    """Add `count` rows in one statement."""
    key, when = ROW[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {TABLE} (id, created, modified, task, args, status, output)"
            f" {numbers(count)}"
            f" SELECT {key}, {when}, {when}, 'shop.tasks.send_invoice',"
            """ '{"order": 123456, "to": "somebody@example.com"}',"""
            f" {STATUS}, CASE WHEN n % 10 = 0 THEN NULL ELSE 'Sent to somebody@example.com, message 123456' END"
            " FROM numbers",
            None,
        )
        cursor.execute(SETTLE[connection.vendor], None)


@contextmanager
def timed(connection: Any, what: str, *, slowest: int = 0) -> Iterator[None]:
    """Print how long the block took, and its slowest statements."""
    statements: list[tuple[float, str]] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        start = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            statements.append((time.perf_counter() - start, sql))

    start = time.perf_counter()
    with connection.execute_wrapper(watch):
        yield
    print(f"{what:<42}{time.perf_counter() - start:>9.2f} s", flush=True)
    for seconds, sql in sorted(statements, reverse=True)[:slowest]:
        if seconds > 0.05:
            print(f"    {seconds:>8.2f} s  {sql[:150]}", flush=True)


def product(connection: Any) -> str:
    question = "SELECT sqlite_version() AS v" if connection.vendor == "sqlite" else "SELECT version() AS v"
    return f"{connection.display_name} {str(rows(connection, question)[0]['v']).removeprefix('PostgreSQL ').split()[0]}"


def had_char_ids() -> bool:
    """MariaDB >= 10.7: Django 4.2 made the column char(32) that today is a uuid."""
    connection = connections["default"]
    return connection.vendor == "mysql" and bool(connection.features.has_native_uuid_field)


def run(folder: Path, count: int, slowest: int, *, char_ids: bool) -> None:
    with scratch_database(folder) as connection:
        migrate(connection, PUBLISHED)
        if char_ids:
            with connection.cursor() as cursor:
                cursor.execute(f"ALTER TABLE {TABLE} MODIFY id char(32) NOT NULL")
        print(f"\n{product(connection)}, {count:,} rows{', made by Django 4.2' * char_ids}", flush=True)
        with timed(connection, "filling the table of 0.1.x"):
            fill(connection, count)
        for what, target in (
            ("0001 -> 0002 (what the head of 0.1.x added)", HEAD_OF_0_1),
            ("0002 -> 0003", CURRENT),
            ("0003 -> 0002", HEAD_OF_0_1),
            ("0002 -> 0003 again", CURRENT),
            ("0003 -> 0001", PUBLISHED),
        ):
            with timed(connection, what, slowest=slowest):
                migrate(connection, target)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--slowest", type=int, default=0, metavar="N", help="also print the N slowest statements")
    options = parser.parse_args()
    if not 0 < options.rows <= 10**PLACES:
        parser.error(f"--rows should be from 1 to {10**PLACES:,}")
    for char_ids in (False, True) if had_char_ids() else (False,):
        with tempfile.TemporaryDirectory() as folder:
            run(Path(folder), options.rows, options.slowest, char_ids=char_ids)
    return 0


if __name__ == "__main__":
    sys.exit(main())
