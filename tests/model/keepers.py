"""What a keeper does: beat, settle, sweep, take back; for all: rescue, promote, tidy."""

from __future__ import annotations

from collections.abc import Iterator

from .state import (
    ABSENT,
    ALIVE,
    FOR_CANCEL,
    LOOKED,
    MARKED,
    RUNNING,
    WAITING,
    Page,
    State,
    Worker,
    with_new_id,
    with_page,
    with_row,
    with_worker,
)
from .workers import killed
from .world import Step, World, write


def ticks(world: World, state: State) -> Iterator[Step]:
    """What the keeper of any worker does for all."""
    rules = world.rules
    lost = [task for task, row in enumerate(state.rows) if row.status != ABSENT and rules.to_rescue(state, row)]
    if lost:
        now, wrong = state, None
        for task in lost:
            row = state.rows[task]
            now, bad = write(now, task, rules.rescue(row, row.holder), row.holder)
            wrong = wrong or bad
        yield Step("a live keeper rescues " + " and ".join(f"task {task + 1}" for task in lost), now, wrong)
    for task, row in enumerate(state.rows):
        if (after := rules.promote(row)) != row:
            yield Step(f"a live keeper promotes task {task + 1}", with_row(state, task, after))
        if (after := rules.tidy(row)) != row:
            yield Step(f"a live keeper tidies task {task + 1}", with_row(state, task, after._replace(by_hand=0)))


def keeper(world: World, state: State, p: int, worker: Worker) -> Iterator[Step]:
    """Beat, settle, sweep, take back: for its own worker only."""
    if not worker.leased:
        yield beat(world, state, p, worker)
    for r, page in enumerate(worker.pages):
        if page.death != ALIVE:
            yield settle(world, state, p, r, page)
    yield from sweep(world, state, p, worker)
    if world.starts_by_halves:
        yield from take(world, state, p, worker)
    if worker.memory and worker.memory[0] == "kill":
        r = worker.memory[1][0]
        forgot = with_worker(state, p, worker._replace(memory=None))
        busy = any(item.stage == RUNNING for item in worker.pages[r].items)
        after = killed(forgot, p, r, FOR_CANCEL) if busy else forgot
        yield Step(f"the supervisor kills runner {p + 1}.{r + 1} without a second look", after)


def beat(world: World, state: State, p: int, worker: Worker) -> Step:
    """The lease runs again, or the beat hits 0 rows: drop all, register under a new id."""
    after = world.rules.beat(worker)
    if after:
        return Step(f"worker {p + 1} beats again", with_worker(state, p, after))
    fresh = worker._replace(known=True, leased=True)
    return Step(f"worker {p + 1} finds itself declared dead and registers anew", with_new_id(state, p, fresh))


def settle(world: World, state: State, p: int, r: int, page: Page) -> Step:
    """The keeper settles a dead runner from the board, and what it claimed without knowing it."""
    wrong = None
    stages = {item.task: item.stage for item in page.items}
    for task, row in enumerate(state.rows):
        if task in stages or row.holder == page.number:
            after = world.rules.settle(row, page, stages.get(task, WAITING))
            state, bad = write(state, task, after, page.number)
            wrong = wrong or bad
    words = f"keeper {p + 1} settles dead runner {p + 1}.{r + 1} from the board"
    return Step(words, with_page(state, p, r, Page()), wrong)


def sweep(world: World, state: State, p: int, worker: Worker) -> Iterator[Step]:
    """Give back what is held in this worker's name under a number that is on no page."""
    if not worker.known:
        return
    rules, name = world.rules, f"keeper {p + 1}"
    pages = {page.number for page in worker.pages}
    if not world.sweeps_by_halves:
        strays = rules.strays(state, p, pages)
        if strays:
            yield swept(world, state, strays, name)
        return
    memory = worker.memory
    if memory is None:
        if rules.rows_first:
            held = tuple(rules.strays(state, p, set()))
            kept = ("rows", held, tuple(state.rows[task].holder for task in held))
        else:
            held, kept = (0,), ("pages", (), tuple(sorted(pages)))
        if held:
            what = "rows" if rules.rows_first else "pages"
            yield Step(f"{name} reads the {what} for its sweep", with_worker(state, p, worker._replace(memory=kept)))
    elif memory[0] in ("rows", "pages"):
        if memory[0] == "rows":
            seen = zip(memory[1], memory[2], strict=True)
            strays = [task for task, number in seen if number not in pages and state.rows[task].holder == number]
        else:
            strays = rules.strays(state, p, set(memory[2]))
        yield swept(world, with_worker(state, p, worker._replace(memory=None)), strays, name)


def swept(world: World, state: State, strays: list[int], name: str) -> Step:
    wrong = None
    for task in strays:
        row = state.rows[task]
        state, bad = write(state, task, world.rules.release(row, row.holder), row.holder)
        wrong = wrong or bad
    what = " and ".join(f"task {task + 1}" for task in strays) or "nothing"
    return Step(f"{name} sweeps and gives back {what}", state, wrong)


def take(world: World, state: State, p: int, worker: Worker) -> Iterator[Step]:
    """After a while of one task the keeper gives back what waits behind it, by mark and look."""
    name = f"keeper {p + 1}"
    for r, page in enumerate(worker.pages):
        if page.death != ALIVE:
            continue
        unstarted = [item.task for item in page.items if item.stage in (WAITING, LOOKED, MARKED) and not item.taken]
        if world.rules.keeper_marks_first:
            if unstarted:
                items = tuple(item._replace(taken=item.taken or item.task in unstarted) for item in page.items)
                marked = with_page(state, p, r, page._replace(items=items))
                yield Step(f"{name} marks what has not started as taken", marked)
            ready = [item.task for item in page.items if item.taken and item.stage in (WAITING, LOOKED)]
            if ready:
                yield given(world, state, p, r, ready, name)
        elif worker.memory is None and unstarted:
            memory = ("look", tuple(unstarted), (page.number,))
            yield Step(f"{name} looks what has not started", with_worker(state, p, worker._replace(memory=memory)))
        elif worker.memory and worker.memory[0] == "look" and worker.memory[2] == (page.number,):
            forgot = with_worker(state, p, worker._replace(memory=None))
            yield given(world, forgot, p, r, list(worker.memory[1]), name)


def given(world: World, state: State, p: int, r: int, tasks: list[int], name: str) -> Step:
    wrong = None
    page = state.workers[p].pages[r]
    for task in tasks:
        state, bad = write(state, task, world.rules.release(state.rows[task], page.number), page.number)
        wrong = wrong or bad
    items = tuple(i for i in page.items if i.task not in tasks or i.stage not in (WAITING, LOOKED))
    page = page._replace(items=items) if items else Page()
    what = " and ".join(f"task {task + 1}" for task in tasks)
    return Step(f"{name} looks and gives {what} back", with_page(state, p, r, page), wrong)
