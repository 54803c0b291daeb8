"""What persons and the rest of the project do to a row, at any time."""

from __future__ import annotations

from collections.abc import Iterator

from . import onlooker
from .state import (
    ABSENT,
    CANCELLED,
    ONLOOKED,
    QUEUED,
    Row,
    State,
    with_row,
)
from .world import Step, World

STATUS = {QUEUED: "QUEUED", CANCELLED: "CANCELLED"}


def persons(world: World, state: State) -> Iterator[Step]:
    """Every edit that this world knows, on every row."""
    if state.copy:
        yield from saves(world, state)
    if not state.left.edits:
        return
    spent = state._replace(left=state.left._replace(edits=state.left.edits - 1))
    for task, row in enumerate(state.rows):
        for kind in world.persons:
            step = EDITS[kind](world, spent, task, row)
            if step:
                yield step._replace(chance=True)


def enqueue(world: World, state: State, task: int, row: Row) -> Step | None:
    if row.status != ABSENT or row.finished:  # one that was deleted does not come back
        return None
    return Step(f"task {task + 1} is enqueued", with_row(state, task, Row()))


def delete(world: World, state: State, task: int, row: Row) -> Step | None:
    gone = Row(ABSENT, finished=True, owed=0)
    return None if row.status == ABSENT else Step(f"task {task + 1} is deleted", with_row(state, task, gone))


def cancel(world: World, state: State, task: int, row: Row) -> Step | None:
    after = world.rules.cancel(row)
    if row.status == ABSENT or after == row:
        return None
    after = after._replace(refused=True, owed=row.owed if row.holder else 0)
    return Step(f"cancel_task(task {task + 1})", with_row(state, task, after))


def retry(world: World, state: State, task: int, row: Row) -> Step | None:
    after = world.rules.retry(row)
    if row.status == ABSENT or after == row:
        return None
    after = after._replace(owed=1, refused=False, starts=0, by_hand=0)
    return Step(f"retry_task(task {task + 1})", with_row(state, task, after))


def requeue(world: World, state: State, task: int, row: Row) -> Step | None:
    return by_hand(state, task, row, QUEUED, ".update")


def set_cancelled(world: World, state: State, task: int, row: Row) -> Step | None:
    return by_hand(state, task, row, CANCELLED, ".update")


def by_hand(state: State, task: int, row: Row, status: int, how: str) -> Step | None:
    if row.status in (ABSENT, status):
        return None
    after = onlooker.put_back(row, status)._replace(status=status)
    return Step(f"{how}(status={STATUS[status]}) on task {task + 1}", with_row(state, task, after))


def read(world: World, state: State, task: int, row: Row) -> Step | None:
    if state.copy or row.status == ABSENT:
        return None
    return Step(f"somebody reads task {task + 1} into an instance", state._replace(copy=(task, row)))


def saves(world: World, state: State) -> Iterator[Step]:
    """The copy is saved with a new status, or with something of no concern to us changed."""
    assert state.copy
    task, copy = state.copy
    row, state = state.rows[task], state._replace(copy=None)
    yield Step(f"the copy of task {task + 1} is thrown away", state)
    if row.status == ABSENT:
        return
    for wish in (None, QUEUED, CANCELLED):
        saved = world.rules.save(row, copy, wish)
        if saved == row:
            continue
        noted = onlooker.put_back(row, wish) if wish is not None else row
        words = f"the stale copy of task {task + 1} is saved" + (f" as {STATUS[wish]}" if wish is not None else "")
        yield Step(words, with_row(state, task, Row._make(saved[:ONLOOKED] + noted[ONLOOKED:])), None, True)


EDITS = {
    "enqueue": enqueue,
    "delete": delete,
    "cancel": cancel,
    "retry": retry,
    "requeue": requeue,
    "set cancelled": set_cancelled,
    "read": read,
}
