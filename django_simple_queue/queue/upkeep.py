"""What time brings: due tasks are promoted, expired ones cancelled, ends set by hand tidied, old ends pruned."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from ..backends.base import ClaimSpec, ClaimStrategy
from ..backends.session import Session
from ..states import CANCELLED, QUEUED, SCHEDULED
from .sql import ENDED, TASK, WAITING

BATCH = 500


class Outlook(NamedTuple):
    """What an idle worker wants to know."""

    runnable: int  # tasks that could be claimed now, counted up to a limit
    due_in: float | None  # seconds until the next SCHEDULED task is due; None: there is none


def promote(strategy: ClaimStrategy) -> int:
    """SCHEDULED and due becomes QUEUED, at its old place; how many tasks."""
    return len(strategy.take(_promote_spec(strategy.session.dialect.now()), BATCH))


@lru_cache(maxsize=4)
def _promote_spec(now: str) -> ClaimSpec:
    return ClaimSpec(
        table=TASK,
        key="id",
        columns=(),
        guard=f"status = {SCHEDULED} AND holder IS NULL",
        where=f"(run_after IS NULL OR run_after <= {now})",
        order="run_after",
        write=f"status = {QUEUED}",
        index="dsq_due",
    )


def outlook(session: Session, queues: Sequence[str], most: int) -> Outlook:
    """One look at what there is to do, for one queue after the other or for all."""
    dialect = session.dialect
    runnable = 0
    for queue in queues or (None,):
        which = "" if queue is None else "queue = %(queue)s AND "
        sql = (
            f"SELECT 1 FROM {TASK} {dialect.index_hint('dsq_claim_any' if queue is None else 'dsq_claim_queue')}"
            f" WHERE {which} status = {QUEUED} AND holder IS NULL"
            f" AND (run_after IS NULL OR run_after <= {dialect.now()})"
            f" AND (expires IS NULL OR expires > {dialect.now()}) {dialect.limit(most)}"
        )
        runnable += len(session.attempt(lambda sql=sql, queue=queue: session.rows(sql, {"queue": queue})))  # type: ignore[misc]
        if runnable >= most:
            break
    return Outlook(runnable, due_in(session))


def due_in(session: Session) -> float | None:
    """Seconds until the next SCHEDULED task is due, 0 if one is overdue."""
    dialect = session.dialect
    sql = f"SELECT run_after, {dialect.now()} FROM {TASK} WHERE status = {SCHEDULED} ORDER BY run_after {dialect.limit(1)}"
    rows = session.attempt(lambda: session.rows(sql))
    if not rows:
        return None
    due, now = (dialect.to_seconds(value) for value in rows[0])
    return 0.0 if due is None or now is None else max(0.0, due - now)


def expire(session: Session) -> int:
    """QUEUED or SCHEDULED and past `expires` becomes CANCELLED; how many tasks."""
    now = session.dialect.now()
    sql = (
        f"UPDATE {TASK} SET error = 'expired', unique_slot = NULL, modified = {now}, status = {CANCELLED}, finished_at = {now}"
        f" WHERE expires IS NOT NULL AND status IN {WAITING} AND holder IS NULL AND expires <= {now}"
    )
    return session.attempt(lambda: session.write(sql))


def tidy(session: Session) -> int:
    """An end that a person set: finished_at is set and its slot freed. Rows that 0.1.x ended keep their own time."""
    now = session.dialect.now()
    sql = (
        f"UPDATE {TASK} SET unique_slot = NULL, finished_at = CASE WHEN seq = 0 THEN modified ELSE {now} END"
        f" WHERE finished_at IS NULL AND status IN {ENDED} AND holder IS NULL AND {{}}"
    )
    return _in_batches(session, sql, f"SELECT id FROM {TASK} WHERE finished_at IS NULL AND status IN {ENDED} AND holder IS NULL")


def prune(session: Session, older_than: float) -> int:
    """Delete ended tasks that finished more than `older_than` seconds ago; how many in this pass."""
    past = f"finished_at <= {session.dialect.after('%(ago)s')}"
    which = f"status IN {ENDED} AND holder IS NULL AND {past}"
    return _in_batches(session, f"DELETE FROM {TASK} WHERE {which} AND {{}}", f"SELECT id FROM {TASK} WHERE {which}", ago=-older_than)


def _in_batches(session: Session, statement: str, candidates: str, **params: object) -> int:
    """One batch of a change that may concern many rows, written by primary key; `{}` in it takes the keys."""
    rows = session.attempt(lambda: session.rows(f"{candidates} {session.dialect.limit(BATCH)}", params))
    if not rows:
        return 0
    bound = dict(params)
    among = session.dialect.among("id", [row[0] for row in rows], bound)
    return session.attempt(lambda: session.write(statement.format(among), bound))
