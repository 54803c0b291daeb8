"""The limit: claim and finish in batches through the bare driver, on the queue's table: -m benchmarks.raw BATCH"""

from __future__ import annotations

import sys
import time
from typing import Any, NoReturn

TABLE = "django_simple_queue_task"
READY = "status = 0 AND holder IS NULL"


def work(batch: int) -> NoReturn:
    """Work off what is there, and look for more each 20 ms, until killed."""
    import django

    django.setup()
    from django.db import connection

    connection.ensure_connection()
    drain = {"sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mysql}[connection.vendor]
    while True:
        drain(connection.connection, batch)
        time.sleep(0.02)


def _postgresql(raw: Any, batch: int) -> None:
    raw.autocommit = True
    cursor = raw.cursor()
    while True:
        cursor.execute(
            f"UPDATE {TABLE} SET status = 1, holder = 1 WHERE id = ANY(ARRAY(SELECT id FROM {TABLE} WHERE {READY}"
            f' ORDER BY "rank", seq LIMIT {batch} FOR NO KEY UPDATE SKIP LOCKED)) RETURNING id, task, args'
        )
        ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return
        cursor.execute(
            f"UPDATE {TABLE} SET status = 2, holder = NULL, finished_at = now() WHERE id = ANY(%s) AND holder = 1",
            [ids],
        )


def _mysql(raw: Any, batch: int) -> None:
    raw.autocommit(True)
    cursor = raw.cursor()
    cursor.execute("SELECT VERSION()")
    skip = "" if cursor.fetchone()[0].startswith("10.5") else "SKIP LOCKED"
    while True:
        cursor.execute("START TRANSACTION")
        cursor.execute(
            f"SELECT id, task, args FROM {TABLE} FORCE INDEX (dsq_claim_any) WHERE {READY}"
            f" ORDER BY `rank`, seq LIMIT {batch} FOR UPDATE {skip}"
        )
        ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            cursor.execute("COMMIT")
            return
        cursor.execute(f"UPDATE {TABLE} SET holder = 1, status = 1 WHERE id IN %s", [ids])
        cursor.execute("COMMIT")
        cursor.execute(
            f"UPDATE {TABLE} SET holder = NULL, finished_at = NOW(6), status = 2 WHERE id IN %s AND holder = 1", [ids]
        )


def _sqlite(raw: Any, batch: int) -> None:
    cursor = raw.cursor()
    while True:
        cursor.execute("BEGIN IMMEDIATE")
        found = cursor.execute(
            f'SELECT id, task, args FROM {TABLE} WHERE {READY} ORDER BY "rank", seq LIMIT {batch}', ()
        ).fetchall()
        ids = [row[0] for row in found]
        if not ids:
            cursor.execute("COMMIT")
            return
        marks = ",".join("?" * len(ids))
        cursor.execute(f"UPDATE {TABLE} SET status = 1, holder = 1 WHERE id IN ({marks})", ids)
        cursor.execute("COMMIT")
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute(
            f"UPDATE {TABLE} SET status = 2, holder = NULL, finished_at = '2000-01-01'"
            f" WHERE id IN ({marks}) AND holder = 1",
            ids,
        )
        cursor.execute("COMMIT")


if __name__ == "__main__":
    work(int(sys.argv[1]))
