"""What an onlooker remembers, and the invariants that it checks.

The rules never read what is kept here; so a broken rule cannot hide what it did.
"""

from __future__ import annotations

from functools import cache

from .rules import Rules
from .state import (
    ABSENT,
    ALIVE,
    ENDS,
    FAILED,
    NOBODY,
    NUMBERS,
    PROGRESS,
    SCHEDULED,
    UP,
    Left,
    Row,
    State,
    owner,
)

ONE_HOLDER = "never two live holders"
NOTHING_LOST = "nothing is lost"
STALE = "a stale writer changes nothing"
NEIGHBOUR = "an innocent neighbour is neither FAILED nor repeated"
KILLER = "a killer runs at most MAX_WORKER_LOSSES times"
ENDS_IN_ORDER = "an end has finished_at and no slot"
PERSON = "what a person set meanwhile stays"
CANCEL = "a cancelled task is not claimed again"


def noted(before: Row, after: Row, number: int | None) -> tuple[Row, str | None]:
    """The row after a write under `number` (None: nobody's claim), and what that write violates."""
    if after == before:
        return before, None
    wrong = None
    if number is not None and before.holder != number:
        wrong = STALE
    elif after.losses > before.losses and not before.blamed:
        wrong = NEIGHBOUR
    if before.holder and not after.holder:
        if before.status != PROGRESS and after.status != before.status:
            wrong = wrong or PERSON
        owed = after.owed
        if after.status in ENDS:
            owed = 0
        elif after.status == SCHEDULED:
            owed = max(owed, 1)
        after = after._replace(blamed=False, owed=owed)
    return after, wrong


def blamed(row: Row) -> Row:
    """It was there when its runner or its worker died: one loss and one more start are fair."""
    return row._replace(blamed=True, owed=max(row.owed, 1))


def put_back(row: Row, status: int) -> Row:
    """A person set the status by hand, .update() or .save()."""
    if status in ENDS:
        return row._replace(by_hand=1)
    paid = min(row.owed + 1, 2) if row.holder else 1
    # Put back while it is held, a killer is allowed one run more.
    starts = max(row.starts - 1, 0) if row.holder else row.starts
    return row._replace(owed=paid, refused=False, starts=starts, by_hand=0 if row.slot else 2)


def started(row: Row, number: int, killer: bool) -> tuple[Row, str | None]:
    """A run begins, and its row had better be held under the number that the runner has."""
    if row.holder != number and row.status != ABSENT:
        return row, ONE_HOLDER
    if not row.owed and row.status != ABSENT:
        return row, NEIGHBOUR
    return row._replace(owed=max(row.owed - 1, 0), starts=row.starts + killer), None


def claimed(before: Row, after: Row) -> tuple[Row, str | None]:
    """A claim landed."""
    if before.refused:
        return after, CANCEL
    return (after._replace(starts=0) if before.finished else after), None


@cache
def unrecovered(rules: Rules, row: Row) -> str | None:
    """All workers died and one fresh one ticks: the row must be an end in order, or claimable again."""
    if row.holder:
        row = row._replace(holder=NOBODY * NUMBERS + 1)
        if rules.to_rescue(State((row,), (), Left()), row):
            row = rules.rescue(row, row.holder)
    row = rules.tidy(rules.promote(row))
    if row.status in ENDS and not row.holder:
        return None if row.finished and not row.slot else ENDS_IN_ORDER
    return None if rules.claimable(row) and not row.holder else NOTHING_LOST


def violated(rules: Rules, state: State, killers: frozenset[int], spared: bool) -> str | None:
    """The first invariant that this state breaks."""
    for p, worker in enumerate(state.workers):
        if worker.process != UP or not worker.leased:
            continue  # past its lease it may believe what it likes
        for page in worker.pages:
            if page.sent or page.death != ALIVE or owner(page.number) != p:
                continue
            for item in page.items:
                row = state.rows[item.task]
                if row.holder != page.number and row.status != ABSENT and not item.taken:
                    return ONE_HOLDER
    for task, row in enumerate(state.rows):
        if row.status == ABSENT:
            continue
        if task in killers:
            if row.starts > rules.max_losses:
                return KILLER
        elif spared and row.status == FAILED and row.losses >= rules.max_losses:
            return NEIGHBOUR
        if not row.holder:
            if row.status == PROGRESS:
                return NOTHING_LOST
            if row.status in ENDS:
                if row.by_hand != 1 and (row.slot or not row.finished):
                    return ENDS_IN_ORDER
            elif (not row.slot and row.by_hand != 2) or (row.status == SCHEDULED and row.finished):
                return ENDS_IN_ORDER
        wrong = unrecovered(rules, row)
        if wrong:
            return wrong
    return None


def settled(state: State) -> bool:
    """Every task is at an end or deleted: where each run has to be able to get to."""
    return all((row.status in ENDS and not row.holder) or row.status == ABSENT for row in state.rows)
