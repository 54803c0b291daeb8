"""What a runner does: claim, start, end, flush, give back; and how it dies."""

from __future__ import annotations

from collections.abc import Iterator

from . import onlooker
from .state import (
    ABSENT,
    ALIVE,
    BAD,
    CURRENT,
    DONE,
    FOR_CANCEL,
    FOR_TIMEOUT,
    GOOD,
    LOOKED,
    LOST,
    MARKED,
    RUNNING,
    WAITING,
    Item,
    Page,
    State,
    with_page,
    with_row,
    with_worker,
)
from .workers import aloft, gone, killed
from .world import Step, World, answered, finished, write


def runner(world: World, state: State, p: int, r: int, page: Page) -> Iterator[Step]:
    who = f"runner {p + 1}.{r + 1}"
    if page.death != ALIVE:
        return  # the keeper settles it
    if page.sent:
        yield answered(world, state, p, r, page)
        if state.left.late:
            left = state.left._replace(late=state.left.late - 1)
            lost = state._replace(left=left, flight=(*state.flight, aloft(page)))
            after = with_page(lost, p, r, Page()) if world.rules.new_number_each_time else lost
            yield Step(f"{who} gives up waiting for its claim's answer", after, None, True)
    elif not page.number:
        yield from claims(world, state, p, r, who)
    else:
        yield from batch(world, state, p, r, page, who)
    if page.number and page.death == ALIVE and state.left.runner_deaths:
        left = state.left._replace(runner_deaths=state.left.runner_deaths - 1)
        yield Step(f"{who} is killed", killed(state._replace(left=left), p, r, LOST), None, True)


def claims(world: World, state: State, p: int, r: int, who: str) -> Iterator[Step]:
    rules, worker = world.rules, state.workers[p]
    if not rules.may_send(worker) or not rules.makes_room(worker, r):
        return
    flag = rules.may_fly_the_flag(worker, r)
    number = rules.next_number(state, p, r)
    seen = set()
    for size in (2,) if world.whole_batches else (1, 2):
        page = Page(number, (), size, flag)
        if world.in_flight:
            words = f"{who} writes a new number to the board and sends a claim of {size}"
            yield Step(words, with_page(state, p, r, page))
            continue
        picked = tuple(rules.batch(state.rows, size, flag))
        if not picked or picked in seen:
            continue
        seen.add(picked)
        if world.claims_by_halves:
            alone = state.rows[picked[0]].losses > 0
            page = page._replace(items=tuple(Item(task) for task in picked), alone=alone)
            what = " and ".join(f"task {task + 1}" for task in picked)
            yield Step(f"{who} reads {what} to claim", with_page(state, p, r, page))
        else:
            yield answered(world, state, p, r, page)


def batch(world: World, state: State, p: int, r: int, page: Page, who: str) -> Iterator[Step]:
    """A runner with a batch: start, end, finish what is done, give back what has not started."""
    rules, worker = world.rules, state.workers[p]
    at = next((i for i, item in enumerate(page.items) if item.stage in CURRENT or item.stage == LOOKED), None)
    if at is None:
        at = next((i for i, item in enumerate(page.items) if item.stage == WAITING), None)
    if at is not None:
        item = page.items[at]
        name = f"task {item.task + 1}"
        if item.stage == RUNNING:
            yield from ends(world, state, p, r, at, who)
        else:
            may = rules.may_start(worker, p, page.number) and not item.taken
            if item.stage == WAITING and world.starts_by_halves and rules.mark_first:
                yield Step(f"{who} marks the start of {name}", staged(state, p, r, at, MARKED))
            elif item.stage == WAITING and world.starts_by_halves:
                if may:
                    yield Step(f"{who} looks whether it may start {name}", staged(state, p, r, at, LOOKED))
            elif may or item.stage == LOOKED:
                row, wrong = onlooker.started(state.rows[item.task], page.number, item.task in world.killers)
                going = state if row.status == ABSENT else with_row(state, item.task, row)
                yield Step(f"{who} starts {name}", staged(going, p, r, at, RUNNING), wrong)
            if not may or not world.starts_by_halves:
                # Free to stop at any time; by halves only what must be given back is.
                yield given_back(world, state, p, r, at, who)
    done = [item for item in page.items if item.stage in DONE]
    if done:
        after, wrong = finished(world, state, page.number, done)
        if world.rules.by_number_alone(page):
            unknown = any(row.holder == page.number for row in after.rows)
            wrong = wrong or (onlooker.NOTHING_LOST if unknown else None)
        kept = tuple(item for item in page.items if item.stage not in DONE)
        emptied = page._replace(items=kept) if kept else Page()
        names = " and ".join(f"task {item.task + 1}" for item in done)
        yield Step(f"{who} flushes: {names} finished", with_page(after, p, r, emptied), wrong)


def ends(world: World, state: State, p: int, r: int, at: int, who: str) -> Iterator[Step]:
    task = state.workers[p].pages[r].items[at].task
    name = f"task {task + 1}"
    if task in world.worker_killers:
        yield Step(f"{name} kills the whole of worker {p + 1}", gone(world, state, p))
    elif task in world.runner_killers:
        yield Step(f"{name} kills {who}", killed(state, p, r, LOST))
    else:
        yield Step(f"{name} ends well in {who}", staged(state, p, r, at, GOOD))
        if state.left.failures:
            sad = state._replace(left=state.left._replace(failures=state.left.failures - 1))
            yield Step(f"{name} fails in {who}", staged(sad, p, r, at, BAD), None, True)
            yield Step(f"{who} is killed for the timeout of {name}", killed(sad, p, r, FOR_TIMEOUT), None, True)
    if state.rows[task].asked and state.rows[task].holder == state.workers[p].pages[r].number:
        if world.rules.look_before_kill:
            words = f"{who} is stopped, looked at and killed for the cancel of {name}"
            yield Step(words, killed(state, p, r, FOR_CANCEL))
        elif not state.workers[p].memory:
            worker = state.workers[p]._replace(memory=("kill", (r,), ()))
            yield Step(f"the supervisor decides to kill {who} for the cancel of {name}", with_worker(state, p, worker))


def staged(state: State, p: int, r: int, at: int, stage: int) -> State:
    page = state.workers[p].pages[r]
    item = page.items[at]._replace(stage=stage)
    return with_page(state, p, r, page._replace(items=(*page.items[:at], item, *page.items[at + 1 :])))


def given_back(world: World, state: State, p: int, r: int, at: int, who: str) -> Step:
    page = state.workers[p].pages[r]
    task = page.items[at].task
    state, wrong = write(state, task, world.rules.release(state.rows[task], page.number), page.number)
    items = (*page.items[:at], *page.items[at + 1 :])
    page = page._replace(items=items) if items else Page()
    return Step(f"{who} gives task {task + 1} back unstarted", with_page(state, p, r, page), wrong)
