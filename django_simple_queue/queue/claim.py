"""Claim: QUEUED and held by nobody becomes PROGRESS and ours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from ..backends.base import ClaimSpec, ClaimStrategy, Row
from ..backends.session import Session
from ..models import Worker
from ..records import Claim
from ..states import LOWEST_RANK, PROGRESS, QUEUED, SCHEDULED
from .sql import STILL_HELD, TASK, WORKER, let_go, unless_cancelled

HAS_LOSS = "losses > 0 AND finished_at IS NULL"
GUARD = f"status = {QUEUED} AND holder IS NULL"
RANK, SEQ, AHEAD = 4, 5, 11  # places in a claimed row


class Claimer(NamedTuple):
    """Who claims: the worker's id and name, under which number, and what may come."""

    worker_id: int
    worker: str
    holder: int
    innocents_only: bool = False  # no task with a loss
    only: object = None  # this task's primary key and no other


def claim(strategy: ClaimStrategy, claimer: Claimer, limit: int, queues: Sequence[str] = ()) -> list[Claim]:
    """Up to `limit` tasks, highest priority first; queue after queue in the order given, all queues if none is.

    One statement a queue: with several in one, no index gives filter and order together. A task with a loss comes
    alone. The claim takes nothing if the worker has been declared dead.
    """
    claims: list[Claim] = []
    for queue in queues or (None,):
        while len(claims) < limit:
            innocents_only = claimer.innocents_only or bool(claims)
            rows: list[Row] = strategy.take(_spec(strategy, claimer, queue, innocents_only), limit - len(claims))
            taken = [Claim._make((*row[:AHEAD], claimer.holder)) for row in rows if not row[AHEAD]]
            if len(taken) < len(rows):
                _set_aside(strategy.session, claimer.holder, [row[0] for row in rows if row[AHEAD]])
            claims += taken
            if claims and claims[0].losses:
                return claims
            if taken or not rows:  # else all that was met is not due yet: look further
                break
    return claims


def _set_aside(session: Session, holder: int, ids: Sequence[Any]) -> None:
    """Tasks not yet due, put among the due ones by hand, go where they are promoted from.

    Apart from the claim, which may read the clock twice: a task due between its two statements would be nobody's.
    """
    params: dict[str, Any] = {"holder": holder}
    among = session.dialect.among("id", ids, params)
    target = unless_cancelled(str(SCHEDULED))
    sql = (
        f"UPDATE {TASK} SET started_at = NULL, worker = NULL, {let_go(session.dialect, target, ran=False)}"
        f" WHERE {among} AND {STILL_HELD}"
    )
    session.attempt(lambda: session.write(sql, params))


def _spec(strategy: ClaimStrategy, claimer: Claimer, queue: str | None, innocents_only: bool) -> ClaimSpec:
    dialect = strategy.session.dialect
    one = claimer.only is not None
    spec = _cached_spec(dialect.quote("rank"), dialect.now(), queue is None, innocents_only, one)
    return spec.bind(
        holder=claimer.holder,
        worker=claimer.worker,
        worker_id=claimer.worker_id,
        queue=queue,
        only=claimer.only,
        no=False,
    )


@lru_cache(maxsize=64)
def _cached_spec(rank: str, now: str, any_queue: bool, innocents_only: bool, one: bool) -> ClaimSpec:
    ahead = f"(run_after IS NOT NULL AND run_after > {now})"
    # Somebody put an ended task back: what it counted and left starts anew.
    anew = "CASE WHEN finished_at IS NULL THEN {} ELSE {} END".format
    where = [
        f"(expires IS NULL OR expires > {now})",
        f"(SELECT w.state FROM {WORKER} w WHERE w.id = %(worker_id)s) = {Worker.ALIVE}",
    ]
    where.append(f"{rank} >= {LOWEST_RANK}" if any_queue else "queue = %(queue)s")
    if one:
        where.append("id = %(only)s")
    if innocents_only:
        where.append(f"NOT ({HAS_LOSS})")
    return ClaimSpec(
        table=TASK,
        key="id",
        columns=(
            *("task", "args", "queue", rank, "seq"),
            anew("attempt", 0),
            anew("losses", 0),
            *("max_attempts", "timeout", "CASE WHEN unique_slot IS NULL THEN 0 ELSE 1 END"),
            f"CASE WHEN {ahead} THEN 1 ELSE 0 END",
        ),
        guard=GUARD,
        where=" AND ".join(where),
        order=f"{rank}, seq",
        write=", ".join(
            (
                "holder = %(holder)s",
                *(f"{column} = {anew(column, 0)}" for column in ("attempt", "losses")),
                *(f"{column} = {anew(column, 'NULL')}" for column in ("output", "error", "log")),
                f"cancel_requested = %(no)s, worker = %(worker)s, started_at = {now}, modified = {now}",
                f"status = {PROGRESS}",
                "finished_at = NULL",
            )
        ),
        index=None if one else "dsq_claim_any" if any_queue else "dsq_claim_queue",
        sort=itemgetter(RANK, SEQ),
        solo=HAS_LOSS,
    )
