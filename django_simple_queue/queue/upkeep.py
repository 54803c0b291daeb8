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
EXPIRE, TIDY, PROMOTE = 1, 2, 3  # chores, in the order in which they are done
PROMOTABLE = f"status = {SCHEDULED} AND holder IS NULL"
UNTIDY = f"finished_at IS NULL AND status IN {ENDED} AND holder IS NULL", "dsq_untidy", "status"
BATCHES = 10  # in one pass: whoever calls has other duties


class Outlook(NamedTuple):
    """What an idle worker wants to know."""

    runnable: int  # tasks that could be claimed now, counted up to a limit
    due_in: float | None  # seconds until the next SCHEDULED task is due; None: there is none


def catch_up(strategy: ClaimStrategy) -> bool:
    """Do whatever is due; one statement if that is nothing. True if there was anything."""
    session = strategy.session
    due = _due(session)
    for chore in due:
        if chore == EXPIRE:
            expire(session)
        elif chore == TIDY:
            tidy(session)
        else:
            promote(strategy)
    return bool(due)


def _due(session: Session) -> list[int]:
    """Which chores have anything to do."""
    now = session.dialect.now()
    looks = [
        _find(session, f"{EXPIRE} AS chore", *_expired(now), 1),
        _find(session, f"{TIDY} AS chore", *UNTIDY, 1),
        *(
            _find(session, f"{PROMOTE} AS chore", f"{PROMOTABLE} AND {which}", "dsq_due", order, 1)
            for which, order in _promotable(now)
        ),
    ]
    rows = session.attempt(lambda: session.rows(_all_of(looks)))
    return sorted({chore for (chore,) in rows})


def promote(strategy: ClaimStrategy) -> int:
    """SCHEDULED and due becomes QUEUED, at its old place; how many tasks."""
    specs = [_promote_spec(*which) for which in _promotable(strategy.session.dialect.now())]
    return sum(len(strategy.take(spec, BATCH)) for spec in specs)


def _promotable(now: str) -> tuple[tuple[str, str], ...]:
    """Conditions, each with its order: with OR between the two no index says where the due ones end."""
    return (f"run_after <= {now}", "run_after"), ("run_after IS NULL", "status")


@lru_cache(maxsize=8)
def _promote_spec(which: str, order: str) -> ClaimSpec:
    return ClaimSpec(
        table=TASK,
        key="id",
        columns=(),
        guard=PROMOTABLE,
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
    rows = session.attempt(lambda: session.rows(_all_of(looks), params))
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
        f" WHERE {PROMOTABLE} ORDER BY run_after {dialect.limit(1)}"
    )


def _all_of(looks: Sequence[str]) -> str:
    return " UNION ALL ".join(f"SELECT * FROM ({look}) AS look{i}" for i, look in enumerate(looks))


def expire(session: Session) -> int:
    """QUEUED or SCHEDULED and past `expires` becomes CANCELLED; how many tasks."""
    now = session.dialect.now()
    write = f"error = 'expired', unique_slot = NULL, modified = {now}, finished_at = {now}, status = {CANCELLED}"
    return _in_batches(session, f"UPDATE {TASK} SET {write}", *_expired(now))


def _expired(now: str) -> tuple[str, str, str]:
    which = f"expires IS NOT NULL AND status IN {WAITING} AND holder IS NULL AND expires <= {now}"
    return which, "dsq_expires", "expires"


def tidy(session: Session) -> int:
    """An end that a person set: finished_at is set and its slot freed. Rows that 0.1.x ended keep their own time."""
    write = f"unique_slot = NULL, finished_at = CASE WHEN seq = 0 THEN modified ELSE {session.dialect.now()} END"
    return _in_batches(session, f"UPDATE {TASK} SET {write}", *UNTIDY)


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
    """A change of the rows `which`, up to BATCHES of them, written by primary key: those keys, and how many it hit."""
    look = _find(session, "id", which, index, order, BATCH)
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


def _find(session: Session, columns: str, which: str, index: str, order: str | None, most: int) -> str:
    """SELECT of `columns` of up to `most` of the rows `which`, found by `index`.

    Where an index cannot be named, asking for its order leads to it: a database that expects many rows would read the
    whole table instead.
    """
    hint = session.dialect.index_hint(index)
    by = f"ORDER BY {order}" if order and not hint else ""
    return f"SELECT {columns} FROM {TASK} {hint} WHERE {which} {by} {session.dialect.limit(most)}"
