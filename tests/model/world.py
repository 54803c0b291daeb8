"""What does not change in a run, what a step is, and the effects that several steps share."""

from __future__ import annotations

from typing import NamedTuple

from . import onlooker
from .rules import Rules
from .state import (
    ABSENT,
    GOOD,
    Item,
    Page,
    Row,
    State,
    with_page,
    with_row,
)


class World(NamedTuple):
    """What does not change in a run."""

    rules: Rules
    runner_killers: frozenset[int] = frozenset()  # tasks that kill their runner
    worker_killers: frozenset[int] = frozenset()  # tasks that kill their whole worker
    in_flight: bool = False  # claims are sent and land in two steps
    starts_by_halves: bool = False  # so are starts and the keeper's taking back: mark, then look
    sweeps_by_halves: bool = False  # so are the keeper's sweeps: read, then act
    claims_by_halves: bool = False  # a claim reads its candidates, and writes them later
    whole_batches: bool = False  # only batches of two
    persons: tuple[str, ...] = ()

    @property
    def killers(self) -> frozenset[int]:
        return self.runner_killers | self.worker_killers


class Step(NamedTuple):
    """One step: what it is in words, where it leads, what it violates on the way."""

    words: str
    state: State
    wrong: str | None = None
    # A misfortune or a person's doing: nothing may depend on its ever happening.
    chance: bool = False


def write(state: State, task: int, after: Row, number: int | None) -> tuple[State, str | None]:
    """A statement's effect on one row, noted by the onlooker."""
    before = state.rows[task]
    if before.status == ABSENT:  # a deleted row is not resurrected
        return state, None
    row, wrong = onlooker.noted(before, after, number)
    return (state if row == before else with_row(state, task, row)), wrong


def finished(world: World, state: State, number: int, items: list[Item]) -> tuple[State, str | None]:
    wrong = None
    for item in items:
        row = world.rules.finish(state.rows[item.task], number, item.stage == GOOD)
        state, bad = write(state, item.task, row, number)
        wrong = wrong or bad
    return state, wrong


def landed(world: World, state: State, page: Page) -> tuple[State, list[int], str | None]:
    """What a claim does to the rows, whenever it reaches the database."""
    rules, wrong = world.rules, None
    if not rules.lands(state, page.number):
        return state, [], None
    if page.items:  # its candidates, read earlier
        picked = [item.task for item in page.items if rules.guard(state.rows[item.task], page.alone)]
    else:
        picked = rules.batch(state.rows, page.sent, page.alone)
    for task in picked:
        before = state.rows[task]
        row, bad = onlooker.claimed(before, rules.claim(before, page.number))
        state, wrong = with_row(state, task, row), wrong or bad
    return state, picked, wrong


def answered(world: World, state: State, p: int, r: int, page: Page) -> Step:
    """The claim lands and its answer arrives: the batch stands on the board."""
    state, picked, wrong = landed(world, state, page)
    items = tuple(Item(task) for task in picked)
    alone = page.alone and any(state.rows[task].losses for task in picked)
    page = page._replace(items=items, sent=0, alone=alone) if items else Page()
    what = " and ".join(f"task {task + 1}" for task in picked) or "nothing"
    return Step(f"runner {p + 1}.{r + 1} claims {what}", with_page(state, p, r, page), wrong)
