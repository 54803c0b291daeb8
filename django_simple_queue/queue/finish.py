"""Finish and release: whoever holds a task lets it go, with or without a result. Every write asks for the holder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from django.db import DataError, Error

from ..backends.errors import Trouble, trouble
from ..backends.session import Session
from ..backoff import retry_delay
from ..conf import get_settings
from ..records import PLAIN_SUCCESS, Claim, Outcome, failure
from ..states import COMPLETED, FAILED, PROGRESS, QUEUED, SCHEDULED
from .fitting import TEXTS, fitting
from .sql import STILL_HELD, TASK, keep_attempt, let_go, unless_cancelled

Done = tuple[Claim, Outcome]
WITH_TEXTS = 50  # rows that one statement gives texts to: each text is looked for among the others


class Result(NamedTuple):
    """What became of runs that were to be finished."""

    lost: list[Claim]  # no longer held: nothing was changed
    held_up: list[Claim]  # locked by somebody's open transaction: try again later


def finish(session: Session, done: Sequence[Done]) -> Result:
    """Store how runs ended, those that ended alike together."""
    plain, texts, single = defaultdict(list), defaultdict(list), []
    for claim, outcome in done:
        if outcome.status != COMPLETED or claim.slotted:
            single.append((claim, outcome))
        elif outcome is PLAIN_SUCCESS or outcome == PLAIN_SUCCESS:
            plain[claim.holder].append((claim, outcome))
        else:
            texts[claim.holder].append((claim, fitting(session, outcome)))
    lost: list[Claim] = []
    held_up: list[Claim] = []
    batches = [*plain.values()]
    for batch in texts.values():
        batches += [batch[start : start + WITH_TEXTS] for start in range(0, len(batch), WITH_TEXTS)]
    for batch in batches:
        try:
            lost += _finish_batch(session, batch)
        except DataError:
            single += batch  # one of the texts is not to the database's liking
    for claim, outcome in single:
        try:
            if not finish_one(session, claim, outcome):
                lost.append(claim)
        except Error as error:
            if not claim.slotted or trouble(error) is not Trouble.BUSY:
                raise
            held_up.append(claim)
    return Result(lost, held_up)


def _finish_batch(session: Session, batch: list[Done]) -> list[Claim]:
    """Successes under one holder in one statement; those that it did not find held."""
    params: dict[str, object] = {"holder": batch[0][0].holder}
    among = session.dialect.among("id", [claim.id for claim, _ in batch], params)
    given = ", ".join(f"{column} = {_texts(batch, column, params)}" for column in TEXTS)
    sql = (
        f"UPDATE {TASK} SET {given}, {let_go(session.dialect, str(COMPLETED), ran=True)} WHERE {among} AND {STILL_HELD}"
    )
    if session.attempt(lambda: session.write(sql, params)) == len(batch):
        return []
    # What the statement has written no longer has the holder: the rows that still have it are none, the rest is lost.
    return _not_finished(session, [claim for claim, _ in batch])


def _texts(batch: list[Done], column: str, params: dict[str, object]) -> str:
    """SQL for a column's value in each row of a batch: NULL, or a CASE over the primary keys."""
    found = [(claim.id, text) for claim, outcome in batch if (text := getattr(outcome, column)) is not None]
    if not found:
        return "NULL"
    whens = []
    for i, (key, text) in enumerate(found):
        params[f"{column}_id{i}"], params[f"{column}{i}"] = key, text
        whens.append(f"WHEN id = %({column}_id{i})s THEN %({column}{i})s")
    return f"CASE {' '.join(whens)} ELSE NULL END"


def _not_finished(session: Session, claims: list[Claim]) -> list[Claim]:
    """Of a batch that came back short: those whose row says that it was not this run that ended it."""
    params: dict[str, object] = {}
    among = session.dialect.among("id", [claim.id for claim in claims], params)
    sql = f"SELECT id, losses FROM {TASK} WHERE {among} AND holder IS NULL AND finished_at IS NOT NULL"
    rows = session.attempt(lambda: session.rows(sql, params))
    ended = dict(rows)  # with another count of losses it was rescued, and another run ended it
    return [claim for claim in claims if ended.get(claim.id) != claim.losses]


def finish_one(session: Session, claim: Claim, outcome: Outcome) -> bool:
    """Finish a task apart from its batch: a failure, or one with a slot. False if it was no longer held.

    A failure with attempts left goes to SCHEDULED with backoff; each failed run leaves an Attempt.
    """
    outcome = fitting(session, outcome)
    if claim.slotted and session.own and session.dialect.lock_timeout:
        return _finish_one(session, claim, outcome)
    try:
        return session.attempt(lambda: _finish_one(session, claim, outcome))
    except DataError as error:
        if session.in_transaction:
            raise  # an atomic task's: all of it is rolled back
        text = f"The task ran ({outcome.error or 'it succeeded'!s:.500}), but its result could not be stored: {error}"
        refused = failure(text.encode("ascii", "backslashreplace").decode())
        return session.attempt(lambda: _finish_one(session, claim, refused))


def _finish_one(session: Session, claim: Claim, outcome: Outcome) -> bool:
    dialect, settings = session.dialect, get_settings()
    params: dict[str, object] = {name: getattr(outcome, name) for name in TEXTS}
    params |= {"id": claim.id, "holder": claim.holder, "kind": outcome.kind}
    given = ", ".join(f"{column} = %({column})s" for column in TEXTS)
    if outcome.status == COMPLETED:
        target = str(COMPLETED)
    else:
        given += ", attempt = attempt + 1"
        again = not outcome.is_last(claim, settings.max_attempts)
        target = unless_cancelled(str(SCHEDULED if again else FAILED))
        if again:
            given += f", run_after = CASE WHEN status = {PROGRESS} THEN {dialect.after('%(wait)s')} ELSE run_after END"
            params["wait"] = round(retry_delay(claim.attempt + 1, settings.retry_backoff), 3)
    sql = f"UPDATE {TASK} SET {given}, {let_go(dialect, target, ran=True)} WHERE id = %(id)s AND {STILL_HELD}"
    with session.transaction():
        if claim.slotted and session.own and dialect.lock_timeout:
            # A caller's open transaction that met the unique key must not hold up a runner for long.
            session.write(dialect.lock_timeout)
        if session.write(sql, params) != 1:
            return False
        if outcome.status != COMPLETED:
            session.write(keep_attempt(dialect), params)
    return True


def release(session: Session, claims: Sequence[Claim]) -> None:
    """Give tasks back that were not started, or that a shutdown cut off: their place is kept, nothing is counted."""
    by_holder = defaultdict(list)
    for claim in claims:
        by_holder[claim.holder].append(claim.id)
    for holder, ids in by_holder.items():
        params: dict[str, object] = {"holder": holder}
        among = session.dialect.among("id", ids, params)
        target = unless_cancelled(str(QUEUED))
        sql = f"UPDATE {TASK} SET {let_go(session.dialect, target, ran=False)} WHERE {among} AND {STILL_HELD}"
        session.attempt(lambda sql=sql, params=params: session.write(sql, params))  # type: ignore[misc]


def release_holder(session: Session, holder: int) -> int:
    """Give back all that is held under one claim's number; how many that were."""
    target = unless_cancelled(str(QUEUED))
    sql = f"UPDATE {TASK} SET {let_go(session.dialect, target, ran=False)} WHERE holder = %(holder)s"
    return session.attempt(lambda: session.write(sql, {"holder": holder}))


def show_output(session: Session, claim: Claim, output: str) -> None:
    """Show what a running generator has yielded so far."""
    output = fitting(session, Outcome(output=output)).output or ""
    sql = f"UPDATE {TASK} SET output = %(output)s WHERE id = %(id)s AND {STILL_HELD}"
    session.attempt(lambda: session.write(sql, {"output": output, "id": claim.id, "holder": claim.holder}))
