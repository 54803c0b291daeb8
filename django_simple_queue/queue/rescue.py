"""Rescue and loss: tasks are taken back from who can no longer let them go."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..backends.base import ClaimSpec, ClaimStrategy, Row
from ..backends.dialects import Dialect
from ..backends.session import Session
from ..conf import get_settings
from ..records import numbers_of
from ..states import FAILED, QUEUED
from .sql import STILL_HELD, TASK, keep_attempt, let_go, unless_cancelled

BATCH = 200


def lost_to(dialect: Dialect) -> str:
    """SET clause of one loss: QUEUED again, CANCELLED if asked, FAILED at the last one. Parameters: most, error."""
    target = unless_cancelled(f"CASE WHEN losses + 1 >= %(most)s THEN {FAILED} ELSE {QUEUED} END")
    return (
        f"error = CASE WHEN losses + 1 >= %(most)s THEN %(error)s ELSE error END,"
        f" {let_go(dialect, target, ran=False)}, losses = losses + 1"
    )


def rescue_worker(strategy: ClaimStrategy, worker_id: int, why: str) -> int:
    """Take back all that a dead or missing worker holds, whatever its status; how many rows that were."""
    session = strategy.session
    spec = _rescue_spec(session.dialect.now(), lost_to(session.dialect)).bind(
        **numbers_of(worker_id), most=get_settings().max_worker_losses, error=why
    )

    def batch() -> int:
        with session.transaction():
            keys: list[Row] = strategy.take(spec, BATCH)
            for (key,) in keys:
                session.write(keep_attempt(session.dialect), {"id": key, "kind": "lost", "error": why})
        return len(keys)

    rescued = 0
    while taken := session.attempt(batch):
        rescued += taken
    return rescued


@lru_cache(maxsize=16)
def _rescue_spec(now: str, write: str) -> ClaimSpec:
    return ClaimSpec(
        table=TASK,
        key="id",
        columns=(),
        guard="holder BETWEEN %(low)s AND %(high)s",
        where="1 = 1",
        order="holder",
        write=write,
        index="dsq_held",
    )


def lose_one(session: Session, key: Any, holder: int, why: str) -> int | None:
    """One loss for the task that was running when its runner died; its status then. None: it was no longer held."""
    params = {"id": key, "holder": holder, "most": get_settings().max_worker_losses, "error": why, "kind": "lost"}
    sql = f"UPDATE {TASK} SET {lost_to(session.dialect)} WHERE id = %(id)s AND {STILL_HELD}"

    def lose() -> int | None:
        with session.transaction():
            if session.write(sql, params) != 1:
                return None
            session.write(keep_attempt(session.dialect), params)
            ((status,),) = session.rows(f"SELECT status FROM {TASK} WHERE id = %(id)s", params)
        return int(status)

    return session.attempt(lose)


def held_numbers(session: Session) -> list[int]:
    """The claim numbers under which anything is held, by anybody."""
    # Between two ends: by IS NOT NULL a database without statistics would read the whole table.
    sql = f"SELECT DISTINCT holder FROM {TASK} WHERE holder BETWEEN %(low)s AND %(high)s"
    rows = session.attempt(lambda: session.rows(sql, {"low": 0, "high": 2**63 - 1}))
    return [row[0] for row in rows]
