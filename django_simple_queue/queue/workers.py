"""Worker rows: register, beat, watch, declare dead, leave."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import sql
from django.db.models.expressions import RawSQL

from ..backends.session import Session
from ..models import Worker
from ..records import numbers_of
from .sql import TASK, WORKER


class Seen(NamedTuple):
    """A worker as its row says."""

    id: int
    name: str
    alive: bool  # not declared dead
    beats: int
    stale: bool  # its last beat is older than a lease by the database's clock: a hint, never proof


def register(session: Session, *, name: str, host: str, pid: int, runs: str) -> int:
    """A new Worker row; its id, which is never used again."""
    now = RawSQL(session.dialect.now(), ())
    row = Worker(name=name, host=host, pid=pid, runs=runs, beat_at=now, started_at=now)
    fields = [f for f in Worker._meta.concrete_fields if not f.primary_key]

    def insert() -> int:
        query = sql.InsertQuery(Worker)
        query.insert_values(fields, [row])
        compiler = query.get_compiler(connection=session.connection)
        ((worker_id,),) = compiler.execute_sql(returning_fields=[Worker._meta.pk])
        return int(worker_id)

    return session.attempt(insert)


def beat(session: Session, worker_id: int) -> bool:
    """Count one beat. False: the worker was declared dead, or its row is gone."""
    sql = (
        f"UPDATE {WORKER} SET beats = beats + 1, beat_at = {session.dialect.now()}"
        f" WHERE id = %(id)s AND state = {Worker.ALIVE}"
    )
    return session.attempt(lambda: session.write(sql, {"id": worker_id})) == 1


def set_idle(session: Session, worker_id: int, idle: bool) -> None:
    """Say whether this worker waits for work, so that an enqueue knows whether to wake anybody."""
    sql = f"UPDATE {WORKER} SET idle = %(idle)s WHERE id = %(id)s"
    session.attempt(lambda: session.write(sql, {"id": worker_id, "idle": idle}))


def everybody(session: Session, lease: float) -> list[Seen]:
    """Every worker that has a row."""
    stale = f"CASE WHEN beat_at < {session.dialect.after('%(ago)s')} THEN 1 ELSE 0 END"
    sql = f"SELECT id, name, state, beats, {stale} FROM {WORKER}"
    rows = session.attempt(lambda: session.rows(sql, {"ago": -lease}))
    return [Seen(r[0], r[1], r[2] == Worker.ALIVE, r[3], bool(r[4])) for r in rows]


def alive(session: Session, lease: float) -> list[Seen]:
    """Every worker that has not been declared dead."""
    return [worker for worker in everybody(session, lease) if worker.alive]


def declare_dead(session: Session, worker_id: int, beats: int) -> bool:
    """Make a worker's next beat fail. False if it has beaten since `beats` was read."""
    sql = (
        f"UPDATE {WORKER} SET state = {Worker.DEAD}, idle = %(no)s"
        f" WHERE id = %(id)s AND beats = %(beats)s AND state = {Worker.ALIVE}"
    )
    params: dict[str, Any] = {"id": worker_id, "beats": beats, "no": False}
    return session.attempt(lambda: session.write(sql, params)) == 1


def leave(session: Session, worker_id: int) -> None:
    """The end of a worker's row: it takes no claim any more, and is deleted unless something is held under its id."""
    session.attempt(
        lambda: session.write(f"UPDATE {WORKER} SET state = {Worker.DEAD} WHERE id = %(id)s", {"id": worker_id})
    )
    forget(session, worker_id)


def forget(session: Session, worker_id: int) -> None:
    """Delete the row of a dead worker, unless something is held under its id."""
    params = {"id": worker_id, **numbers_of(worker_id)}
    sql = (
        f"DELETE FROM {WORKER} WHERE id = %(id)s AND state = {Worker.DEAD} AND NOT EXISTS"
        f" (SELECT 1 FROM {TASK} WHERE holder BETWEEN %(low)s AND %(high)s)"
    )
    session.attempt(lambda: session.write(sql, params))
