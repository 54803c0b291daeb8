"""What time brings: due tasks are promoted, expired ones cancelled, ends set by hand tidied, old ends pruned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ..backends.base import ClaimSpec, ClaimStrategy, only_where
from ..backends.dialects import Dialect
from ..backends.session import Session
from ..states import CANCELLED, LOWEST_RANK, QUEUED, SCHEDULED
from .sql import ATTEMPT, ENDED, TASK, WAITING

BATCH = 500
RUNNABLE, NEXT = 1, 2  # kinds of rows that a look gives
BATCHES = 10  # in one pass: whoever calls has other duties


class Outlook(NamedTuple):
    """What an idle worker wants to know."""

    runnable: int  # tasks that could be claimed now, counted up to a limit
    due_in: float | None  # seconds until the next SCHEDULED task is due; None: there is none


def promote(strategy: ClaimStrategy) -> int:
    """SCHEDULED and due becomes QUEUED, at its old place; how many tasks."""
    # Two statements: with OR between the two conditions no index says where the due ones end.
    due = f"run_after <= {strategy.session.dialect.now()}", "run_after"
    timeless = "run_after IS NULL", "status"
    return sum(len(strategy.take(_promote_spec(*which), BATCH)) for which in (due, timeless))


@lru_cache(maxsize=8)
def _promote_spec(which: str, order: str) -> ClaimSpec:
    return ClaimSpec(
        table=TASK,
        key="id",
        columns=(),
        guard=f"status = {SCHEDULED} AND holder IS NULL",
        where=which,
        order=order,
        write=f"status = {QUEUED}",
        index="dsq_due",
    )


def outlook(session: Session, queues: Sequence[str], most: int) -> Outlook:
    """One look, in one statement, at what there is to do in these queues, or in all if none is given."""
    dialect, rank = session.dialect, session.dialect.quote("rank")
    params = {f"queue{i}": queue for i, queue in enumerate(queues)}
    looks = [_runnable(dialect, f"queue = %({name})s", "dsq_claim_queue", rank, most) for name in params]
    looks = looks or [_runnable(dialect, f"{rank} >= {LOWEST_RANK}", "dsq_claim_any", rank, most)]
    looks.append(_next_due(dialect))
    sql = " UNION ALL ".join(f"SELECT * FROM ({look}) AS look{i}" for i, look in enumerate(looks))
    rows = session.attempt(lambda: session.rows(sql, params))
    waits = [_seconds_until(dialect, due, now) for kind, due, now in rows if kind == NEXT]
    return Outlook(len(rows) - len(waits), waits[0] if waits else None)


def _seconds_until(dialect: Dialect, due: Any, now: Any) -> float:
    """0 for what is overdue, or has no time at all."""
    then, moment = dialect.to_seconds(due), dialect.to_seconds(now)
    return 0.0 if then is None or moment is None else max(0.0, then - moment)


def _runnable(dialect: Dialect, which: str, index: str, rank: str, most: int) -> str:
    return (
        f"SELECT {RUNNABLE} AS kind, run_after, {dialect.now()} AS moment FROM {TASK} {dialect.index_hint(index)}"
        f" WHERE {which} AND status = {QUEUED} AND holder IS NULL"
        f" AND (run_after IS NULL OR run_after <= {dialect.now()})"
        f" AND (expires IS NULL OR expires > {dialect.now()})"
        # In claim order: else a database may think that the first rows of the table will do.
        f" ORDER BY {rank}, seq {dialect.limit(most)}"
    )


def _next_due(dialect: Dialect) -> str:
    return (
        f"SELECT {NEXT} AS kind, run_after, {dialect.now()} AS moment FROM {TASK} {dialect.index_hint('dsq_due')}"
        f" WHERE status = {SCHEDULED} AND holder IS NULL ORDER BY run_after {dialect.limit(1)}"
    )


def expire(session: Session) -> int:
    """QUEUED or SCHEDULED and past `expires` becomes CANCELLED; how many tasks."""
    now = session.dialect.now()
    which = f"expires IS NOT NULL AND status IN {WAITING} AND holder IS NULL AND expires <= {now}"
    write = f"error = 'expired', unique_slot = NULL, modified = {now}, finished_at = {now}, status = {CANCELLED}"
    return _in_batches(session, f"UPDATE {TASK} SET {write}", which, "dsq_expires", "expires")


def tidy(session: Session) -> int:
    """An end that a person set: finished_at is set and its slot freed. Rows that 0.1.x ended keep their own time."""
    now = session.dialect.now()
    which = f"finished_at IS NULL AND status IN {ENDED} AND holder IS NULL"
    write = f"unique_slot = NULL, finished_at = CASE WHEN seq = 0 THEN modified ELSE {now} END"
    return _in_batches(session, f"UPDATE {TASK} SET {write}", which, "dsq_untidy", "status")


def prune(session: Session, older_than: float) -> int:
    """Delete ended tasks that finished more than `older_than` seconds ago, with their attempts; how many this time."""
    which = f"status IN {ENDED} AND holder IS NULL AND finished_at <= {session.dialect.after('%(ago)s')}"
    pruned = 0
    for keys, deleted in _batches(session, f"DELETE FROM {TASK}", which, "dsq_untidy", ago=-older_than):
        _forget_attempts(session, keys)
        pruned += deleted
    return pruned


def _forget_attempts(session: Session, keys: list[Any]) -> None:
    """Of tasks that are gone; one that was put back meanwhile keeps its own."""
    params: dict[str, object] = {}
    among = session.dialect.among("task_id", keys, params)
    gone = f"NOT EXISTS (SELECT 1 FROM {TASK} WHERE {TASK}.id = task_id)"
    session.attempt(lambda: session.write(f"DELETE FROM {ATTEMPT} WHERE {among} AND {gone}", params))


def _in_batches(session: Session, statement: str, which: str, index: str, order: str) -> int:
    return sum(changed for _, changed in _batches(session, statement, which, index, order))


def _batches(
    session: Session, statement: str, which: str, index: str, order: str | None = None, **params: object
) -> Iterator[tuple[list[Any], int]]:
    """A change of the rows `which`, up to BATCHES of them, written by primary key: those keys, and how many it hit.

    They are found by `index`. Where it cannot be named, asking for its order leads to it: a database that expects many
    rows would read the whole table instead.
    """
    hint = session.dialect.index_hint(index)
    by = f"ORDER BY {order}" if order and not hint else ""
    look = f"SELECT id FROM {TASK} {hint} WHERE {which} {by} {session.dialect.limit(BATCH)}"
    for _ in range(BATCHES):
        keys = [row[0] for row in session.attempt(lambda: session.rows(look, params))]
        if not keys:
            break
        bound = dict(params)
        among = session.dialect.among("id", keys, bound)
        sql = f"{statement} WHERE {among} AND {only_where(which)}"
        yield keys, session.attempt(lambda sql=sql, bound=bound: session.write(sql, bound))  # type: ignore[misc]
        if len(keys) < BATCH:
            break
