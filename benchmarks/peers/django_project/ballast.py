"""Rows of our own queue, a million at a time: what is no work for its workers, and what is."""

from __future__ import annotations

from typing import Any

from benchmarks.numbers import numbers

TABLE = "django_simple_queue_task"
# Status, queue, rank (the lower, the sooner), when it may run, when it ended.
SORTS = {
    "finished": ("2", "'default'", "0", "NULL", "{past}"),
    "later": ("5", "'default'", "-100", "{future}", "NULL"),
    "elsewhere": ("0", "'other'", "-100", "NULL", "NULL"),
    "waiting": ("0", "'default'", "0", "NULL", "NULL"),
}
TIMES = {
    "postgresql": ("now() - INTERVAL '1 day'", "now() + INTERVAL '1 year'"),
    "mysql": ("NOW(6) - INTERVAL 1 DAY", "NOW(6) + INTERVAL 1 YEAR"),
    "sqlite": ("strftime('%Y-%m-%d %H:%M:%f', 'now', '-1 day')", "strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 year')"),
}


def key(connection: Any) -> str:
    """SQL for a random id as Django stores it."""
    if connection.vendor == "postgresql":
        return "gen_random_uuid()"
    if connection.vendor == "sqlite":
        return "lower(hex(randomblob(16)))"
    # UUID() would count up. MariaDB takes only what is a UUID by its version and variant.
    return "INSERT(INSERT(LEFT(SHA2(CONCAT(n, RAND()), 256), 32), 13, 1, '4'), 17, 1, '8')"


def insert(connection: Any, sort: str, count: int) -> None:
    past, future = TIMES[connection.vendor]
    values = ", ".join(SORTS[sort]).format(past=past, future=future)
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {TABLE} (id, created, modified, task, args, seq, status, queue, {quote('rank')},"
            " run_after, finished_at)"
            f" {numbers(count)}"
            f" SELECT {key(connection)}, {past}, {past}, 'benchmarks.tasks.noop', '{{\"n\": 1}}',"
            f" n + 1, {values} FROM numbers ORDER BY n",  # else rows that follow each other lie far apart
            None,
        )
