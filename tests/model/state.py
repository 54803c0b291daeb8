"""What one moment of the model consists of: rows, boards, statements under way.

Everything is a tuple, so that a state can be hashed, compared and kept by the million.
"""

from __future__ import annotations

from typing import NamedTuple

QUEUED, PROGRESS, COMPLETED, FAILED, CANCELLED, SCHEDULED = range(6)
ABSENT = -1  # not enqueued yet, or deleted
ENDS = frozenset({COMPLETED, FAILED, CANCELLED})

# Where a task of a batch stands on its runner's page.
WAITING, LOOKED, MARKED, RUNNING, GOOD, BAD = range(6)
DONE = frozenset({GOOD, BAD})
CURRENT = frozenset({MARKED, RUNNING})

UP, SUSPENDED, GONE = range(3)  # a worker's processes
ALIVE, LOST, FOR_CANCEL, FOR_TIMEOUT = range(4)  # a runner, or why it was killed

# A holder's number is owner * NUMBERS + serial. Owner p + 1 is the id that worker p has now;
# NOBODY stands for every id that was declared dead and left, or whose Worker row is gone.
NUMBERS = 32
NOBODY = 31


class Row(NamedTuple):
    """One task as the database has it, and behind the bar what an onlooker remembers of it."""

    status: int = QUEUED
    holder: int = 0
    attempt: int = 0
    losses: int = 0
    asked: bool = False  # cancel_requested
    finished: bool = False  # finished_at is set
    slot: bool = True  # unique_slot is set
    # --- no rule reads what follows ---
    owed: int = 1  # starts that somebody or something has paid for
    refused: bool = False  # a cancel was accepted and nobody put the task back since
    blamed: bool = False  # it was there when its runner or its worker died
    starts: int = 0  # of a killer, since it last started anew
    by_hand: int = 0  # 1: a person set an end, tidy is due; 2: put back without its slot


ONLOOKED = Row._fields.index("owed")  # where the onlooker's part of a Row begins


class Item(NamedTuple):
    """One task of a batch on a runner's page."""

    task: int
    stage: int = WAITING
    taken: bool = False  # the keeper's mark


class Page(NamedTuple):
    """The board's page of one runner."""

    number: int = 0
    items: tuple[Item, ...] = ()
    sent: int = 0  # the size of a claim whose answer has not come
    alone: bool = False  # the flag of a task with a loss
    death: int = ALIVE


class Worker(NamedTuple):
    """One worker: its processes, its row in the database, its control page."""

    process: int = UP
    known: bool = True  # its Worker row has not been declared dead
    leased: bool = True  # the deadline on the control page lies ahead
    pages: tuple[Page, ...] = (Page(),)
    # What its keeper has read and not yet acted upon: (kind, tasks, numbers).
    memory: tuple[str, tuple[int, ...], tuple[int, ...]] | None = None


class Flight(NamedTuple):
    """A statement whose sender no longer waits for it, and which may still land."""

    kind: str  # claim or finish
    number: int
    page: Page  # what its sender's page said


class Left(NamedTuple):
    """How often each misfortune may still happen in this run."""

    runner_deaths: int = 0
    worker_deaths: int = 0
    suspensions: int = 0
    late: int = 0
    failures: int = 0
    edits: int = 0


class State(NamedTuple):
    """All of it."""

    rows: tuple[Row, ...]
    workers: tuple[Worker, ...]
    left: Left
    flight: tuple[Flight, ...] = ()
    copy: tuple[int, Row] | None = None  # a Task instance that somebody read earlier


def owner(number: int) -> int:
    """Index of the worker whose present id is in the number; NOBODY - 1 for an id that is gone."""
    return number // NUMBERS - 1


def numbers_in_use(state: State) -> set[int]:
    """Serials of every number that anything still carries."""
    found = {row.holder for row in state.rows}
    for worker in state.workers:
        found.update(page.number for page in worker.pages)
        if worker.memory:
            found.update(worker.memory[2])
    found.update(flight.number for flight in state.flight)
    if state.copy:
        found.add(state.copy[1].holder)
    return {number % NUMBERS for number in found}


def with_row(state: State, task: int, row: Row) -> State:
    """The same state but for one row."""
    rows = state.rows
    return state._replace(rows=(*rows[:task], row, *rows[task + 1 :]))


def with_worker(state: State, p: int, worker: Worker) -> State:
    """The same state but for one worker."""
    workers = state.workers
    return state._replace(workers=(*workers[:p], worker, *workers[p + 1 :]))


def with_page(state: State, p: int, r: int, page: Page) -> State:
    """The same state but for one page of one worker's board."""
    worker = state.workers[p]
    pages = (*worker.pages[:r], page, *worker.pages[r + 1 :])
    return with_worker(state, p, worker._replace(pages=pages))


def with_new_id(state: State, p: int, worker: Worker) -> State:
    """Worker p registers under a new id: every number under its old one is nobody's."""

    def old(number: int) -> int:
        return NOBODY * NUMBERS + number % NUMBERS if number and owner(number) == p else number

    pages = tuple(page._replace(number=old(page.number)) for page in worker.pages)
    state = with_worker(state, p, worker._replace(pages=pages, memory=None))
    return state._replace(
        rows=tuple(row._replace(holder=old(row.holder)) if row.holder else row for row in state.rows),
        flight=tuple(each._replace(number=old(each.number)) for each in state.flight),
        copy=state.copy and (state.copy[0], state.copy[1]._replace(holder=old(state.copy[1].holder))),
    )


def canonical(state: State) -> State:
    """One representative of all states that differ only by the names of workers, runners, numbers.

    Numbers are named in the order in which the rows carry them, then workers and pages are sorted.
    """
    serials = {0: 0}
    for row in state.rows:
        if row.holder not in serials:
            serials[row.holder] = len(serials)
    if state.copy:
        serials.setdefault(state.copy[1].holder, len(serials))
    for late in state.flight:
        serials.setdefault(late.number, len(serials))

    def page_key(page: Page) -> tuple[object, ...]:
        number = page.number
        named = serials.get(number)
        if named is None:
            return (NUMBERS + (number // NUMBERS == NOBODY), *page[1:])
        return (named, *page[1:])

    ranked = []
    for p, worker in enumerate(state.workers):
        pages = worker.pages
        if len(pages) > 1:
            pages = tuple(sorted(pages, key=page_key))
        keys = tuple([page_key(page) for page in pages])
        ranked.append((worker.process, worker.known, worker.leased, keys, worker.memory or ("",), p, pages))
    ranked.sort(key=lambda each: each[:6])

    place = {each[5] + 1: new + 1 for new, each in enumerate(ranked)}
    place[NOBODY] = NOBODY
    new_name = {0: 0}

    def named(number: int) -> int:
        new = new_name.get(number)
        if new is None:
            serial = serials.setdefault(number, len(serials))
            new = new_name[number] = place[number // NUMBERS] * NUMBERS + serial
        return new

    workers = []
    for *_, p, pages in ranked:
        worker = state.workers[p]
        memory = worker.memory
        if memory:
            memory = (memory[0], memory[1], tuple([named(number) for number in memory[2]]))
        pages = tuple([page._replace(number=named(page.number)) if page.number else page for page in pages])
        workers.append(Worker(worker.process, worker.known, worker.leased, pages, memory))
    rows = tuple([row._replace(holder=named(row.holder)) if row.holder else row for row in state.rows])
    flight = tuple(sorted(Flight(late.kind, named(late.number), late.page._replace(number=0)) for late in state.flight))
    copy = state.copy and (state.copy[0], state.copy[1]._replace(holder=named(state.copy[1].holder)))
    return State(rows, tuple(workers), state.left, flight, copy)
