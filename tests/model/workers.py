"""What befalls runners and whole workers, and what lands after its sender has gone."""

from __future__ import annotations

from collections.abc import Iterator

from . import onlooker
from .state import (
    CURRENT,
    DONE,
    GONE,
    LOST,
    SUSPENDED,
    UP,
    Flight,
    Page,
    State,
    Worker,
    owner,
    with_new_id,
    with_page,
    with_row,
    with_worker,
)
from .world import Step, World, answered, finished, landed


def aloft(page: Page) -> Flight:
    return Flight("claim", page.number, page)


def killed(state: State, p: int, r: int, why: int) -> State:
    """The runner is dead; what it had sent may still land, what its page says stays."""
    page = state.workers[p].pages[r]
    if state.left.late and page.sent:
        left = state.left._replace(late=state.left.late - 1)
        state = state._replace(flight=(*state.flight, aloft(page)), left=left)
    elif state.left.late and any(item.stage in DONE for item in page.items):
        left = state.left._replace(late=state.left.late - 1)
        state = state._replace(flight=(*state.flight, Flight("finish", page.number, page)), left=left)
    if why == LOST:
        for item in page.items:
            row = state.rows[item.task]
            if item.stage in CURRENT and row.holder == page.number:
                state = with_row(state, item.task, onlooker.blamed(row))
    return with_page(state, p, r, page._replace(death=why, sent=0))


def gone(world: World, state: State, p: int) -> State:
    """All processes of a worker end at once."""
    worker = state.workers[p]
    for page in worker.pages:
        if page.sent and state.left.late:
            left = state.left._replace(late=state.left.late - 1)
            state = state._replace(left=left, flight=(*state.flight, aloft(page)))
    pages = tuple(Page() for _ in worker.pages)
    return with_worker(state, p, Worker(GONE, worker.known, False, pages))


def declared(state: State, p: int) -> State:
    """Worker p's row says dead; what it holds now is what its death may cost."""
    rows = tuple(onlooker.blamed(row) if row.holder and owner(row.holder) == p else row for row in state.rows)
    return with_worker(state._replace(rows=rows), p, state.workers[p]._replace(known=False))


def fate(world: World, state: State, p: int, worker: Worker) -> Iterator[Step]:
    """What befalls a whole worker, and what the others conclude."""
    name, left = f"worker {p + 1}", state.left
    if worker.process != GONE:
        if left.worker_deaths:
            bad = state._replace(left=left._replace(worker_deaths=left.worker_deaths - 1))
            yield Step(f"{name} dies whole", gone(world, bad, p), None, True)
        if worker.process == UP and left.suspensions:
            bad = state._replace(left=left._replace(suspensions=left.suspensions - 1))
            asleep = worker._replace(process=SUSPENDED, leased=False)
            yield Step(f"{name} is suspended past its lease", with_worker(bad, p, asleep), None, True)
    if worker.process == SUSPENDED:
        yield Step(f"{name} returns", with_worker(state, p, worker._replace(process=UP)))
        for r, page in enumerate(worker.pages):
            if page.sent:
                yield answered(world, state, p, r, page)
    others = any(other.process == UP for q, other in enumerate(state.workers) if q != p)
    if worker.known and others and world.rules.may_declare(worker):
        yield Step(f"{name} is declared dead", declared(state, p))
    if world.rules.replaceable(worker):
        was = declared(state, p) if worker.known else state
        fresh = Worker(pages=tuple(Page() for _ in worker.pages))
        yield Step(f"a fresh worker starts in the place of dead {name}", with_new_id(was, p, fresh))


def landing(world: World, state: State, flight: Flight) -> Iterator[Step]:
    """A late statement reaches the database, or never does."""
    rest = list(state.flight)
    rest.remove(flight)
    state = state._replace(flight=tuple(rest))
    yield Step(f"a late {flight.kind} is never carried out", state)
    if flight.kind == "claim":
        after, picked, wrong = landed(world, state, flight.page._replace(number=flight.number))
        names = " and ".join(f"task {task + 1}" for task in picked) or "nothing"
        yield Step(f"a late claim lands and takes {names}", after, wrong)
    else:
        after, wrong = finished(world, state, flight.number, [item for item in flight.page.items if item.stage in DONE])
        yield Step("a late finish lands", after, wrong)
