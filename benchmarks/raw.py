"""The limit: the same claim and finish, in batches of 100, through the bare driver on a table like the queue's."""

from __future__ import annotations

import time
from typing import Any

BATCH = 100
TABLE = "django_simple_queue_task"
READY = "status = 0 AND holder IS NULL"


def drain(connection: Any) -> float:
    """Tasks per second: claim and finish until nothing is left. `connection` is Django's, its driver is used."""
    connection.close()
    connection.ensure_connection()
    raw = connection.connection
    work = {"sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mysql}[connection.vendor]
    began = time.perf_counter()
    done = work(raw)
    took = time.perf_counter() - began
    connection.close()
    return done / took


def _postgresql(raw: Any) -> int:
    raw.autocommit = True
    cursor, done = raw.cursor(), 0
    while True:
        cursor.execute(
            f"UPDATE {TABLE} SET status = 1, holder = 1 WHERE id = ANY(ARRAY(SELECT id FROM {TABLE} WHERE {READY}"
            f' ORDER BY "rank", seq LIMIT {BATCH} FOR NO KEY UPDATE SKIP LOCKED)) RETURNING id, task, args'
        )
        ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return done
        cursor.execute(
            f"UPDATE {TABLE} SET status = 2, holder = NULL, finished_at = now() WHERE id = ANY(%s) AND holder = 1",
            [ids],
        )
        done += len(ids)


def _mysql(raw: Any) -> int:
    raw.autocommit(True)
    cursor, done = raw.cursor(), 0
    cursor.execute("SELECT VERSION()")
    skip = "" if cursor.fetchone()[0].startswith("10.5") else "SKIP LOCKED"
    while True:
        cursor.execute("START TRANSACTION")
        cursor.execute(
            f"SELECT id, task, args FROM {TABLE} FORCE INDEX (dsq_claim_any) WHERE {READY}"
            f" ORDER BY `rank`, seq LIMIT {BATCH} FOR UPDATE {skip}"
        )
        ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            cursor.execute("COMMIT")
            return done
        cursor.execute(f"UPDATE {TABLE} SET holder = 1, status = 1 WHERE id IN %s", [ids])
        cursor.execute("COMMIT")
        cursor.execute(
            f"UPDATE {TABLE} SET holder = NULL, finished_at = NOW(6), status = 2 WHERE id IN %s AND holder = 1", [ids]
        )
        done += len(ids)


def _sqlite(raw: Any) -> int:
    cursor, done = raw.cursor(), 0
    while True:
        cursor.execute("BEGIN IMMEDIATE")
        found = cursor.execute(
            f'SELECT id, task, args FROM {TABLE} WHERE {READY} ORDER BY "rank", seq LIMIT {BATCH}', ()
        ).fetchall()
        ids = [row[0] for row in found]
        if not ids:
            cursor.execute("COMMIT")
            return done
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
        done += len(ids)
