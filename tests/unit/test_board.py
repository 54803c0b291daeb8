"""The board: what one process writes another reads whole."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from django_simple_queue.records import PLAIN_SUCCESS, Claim, Outcome
from django_simple_queue.states import FAILED
from django_simple_queue.worker import board as b

WORKER = 7


def claim(number: int, *, timeout: float | None = None, slotted: bool = False) -> Claim:
    return Claim(uuid.uuid4(), "jobs.run", "{}", "default", 0, 1, 2, 0, 5, timeout, slotted, number)


@pytest.fixture
def board() -> b.Board:
    return b.Board(2)


@pytest.fixture
def page(board: b.Board) -> b.Page:
    page = board.pages[0]
    page.words[b.STATE] = b.PageState.LIVE
    return page


def test_there_are_more_pages_than_runners(board: b.Board) -> None:
    """A new runner need not wait until the page of the one before is settled."""
    assert len(board.pages) > 2
    assert len({page.index for page in board.pages}) == len(board.pages)


def test_a_claims_number_tells_its_worker_and_is_never_used_twice(board: b.Board) -> None:
    numbers = [
        page.number_claim(worker, len(board.pages)) for page in board.pages for worker in (WORKER, WORKER, WORKER, 8)
    ]
    assert len(set(numbers)) == len(numbers)
    assert {number >> 32 for number in numbers} == {WORKER, 8}


def test_a_page_that_is_used_again_goes_on_counting(board: b.Board, page: b.Page) -> None:
    before = page.number_claim(WORKER, len(board.pages))
    page.wipe()
    assert page.number_claim(WORKER, len(board.pages)) > before


def test_a_number_is_on_its_page_until_nothing_has_it(board: b.Board, page: b.Page) -> None:
    number = page.number_claim(WORKER, len(board.pages))
    assert board.numbers() == {number}
    (slot,) = page.put([claim(number)], None)
    assert page.words[b.PENDING] == 0
    assert board.numbers() == {number}
    assert page.in_use()
    page.start(slot)
    page.done(slot, PLAIN_SUCCESS)
    assert board.numbers() == {number}
    page.empty(slot)
    assert not board.numbers()
    assert not page.in_use()


def test_an_entry_says_what_finishing_needs(page: b.Page) -> None:
    given = claim(5, timeout=1.5, slotted=True)
    (slot,) = page.put([given], 60)
    page.start(slot)
    (entry,) = page.entries()
    assert (entry.state, entry.timeout, entry.outcome) == (b.SlotState.RUNNING, 1.5, None)
    found = entry.claim
    assert (found.uuid, found.holder, found.attempt, found.max_attempts, found.slotted) == (given.id, 5, 2, 5, True)
    assert 0 <= b.clock() - entry.started_at < 1e9


def test_those_that_run_are_found_among_the_others(page: b.Page) -> None:
    waits, first, second, over = page.put([claim(5) for _ in range(4)], None)
    for slot in (over, second, first):
        page.start(slot)
    page.done(over, PLAIN_SUCCESS)
    assert [entry.slot for entry in page.running()] == [first, second]
    assert [entry.slot for entry in page.entries()] == [waits, first, second, over]


@pytest.mark.parametrize(
    "outcome",
    [
        PLAIN_SUCCESS,
        Outcome(output="é\ud800\0", log="line\n"),
        Outcome(FAILED, "", "ValueError()", None, "timeout", True),
        Outcome(stored=True),
    ],
)
def test_an_outcome_comes_back_as_it_was(page: b.Page, outcome: Outcome) -> None:
    (slot,) = page.put([claim(5)], None)
    assert page.done(slot, outcome)
    (entry,) = page.entries()
    assert entry.outcome == outcome


def test_an_outcome_that_does_not_fit_is_refused_and_leaves_the_others(page: b.Page) -> None:
    first, second = page.put([claim(5), claim(5)], None)
    page.start(second)
    assert page.done(first, Outcome(output="x" * (b.TEXT // 2)))
    assert not page.done(second, Outcome(output="y" * (b.TEXT // 2)))
    states = {entry.slot: entry.state for entry in page.entries()}
    assert states == {first: b.SlotState.DONE, second: b.SlotState.RUNNING}


def test_what_is_overdue_is_a_run_not_a_slot(page: b.Page) -> None:
    """The warning may come late: another task in the same slot is not meant."""
    (slot,) = page.put([claim(5, timeout=1)], None)
    page.start(slot)
    (late,) = page.entries()
    page.warn(late)
    assert page.is_overdue(slot)
    page.empty(slot)
    page.put([claim(6, timeout=1)], None)
    page.warn(late)
    assert not page.is_overdue(slot)
    page.start(slot)
    assert not page.is_overdue(slot)


def test_a_cancellation_is_of_a_run_not_of_a_slot(page: b.Page) -> None:
    (slot,) = page.put([claim(5, timeout=60)], None)
    page.start(slot)
    (asked,) = page.entries()
    page.cancel(asked, 10_000_000_000)
    (told,) = page.entries()
    assert told.marks == b.Mark.CANCEL
    assert told.timeout == pytest.approx(10, abs=1)  # then its runner is killed
    page.empty(slot)
    page.put([claim(6, timeout=60)], None)
    page.start(slot)
    page.cancel(asked, 10_000_000_000)
    (other,) = page.entries()
    assert (other.marks, other.timeout) == (0, 60)


def test_a_wiped_page_is_free_and_empty(page: b.Page) -> None:
    page.put([claim(5)], None)
    page.words[b.SOLO] = page.words[b.IDLE] = page.words[b.REASON] = 1
    page.wipe()
    assert not page.in_use()
    assert page.words[b.STATE] == b.PageState.FREE
    assert not any(page.words[word] for word in (b.SOLO, b.IDLE, b.REASON, b.USED))


class Meddled:
    """Memory that its runner changes just before somebody else reads it, once."""

    def __init__(self, memory: memoryview, change: Callable[[], None]) -> None:
        self.memory, self.change = memory, change

    def __getitem__(self, where: slice) -> memoryview:
        change, self.change = self.change, lambda: None
        change()
        return self.memory[where]

    def __setitem__(self, where: slice, data: bytes) -> None:
        self.memory[where] = data


def test_a_page_that_changes_while_it_is_read_is_read_again(page: b.Page) -> None:
    """Else an outcome would go to another task, or whoever reads would fall over its pieces."""
    (slot,) = page.put([claim(5)], None)
    page.done(slot, Outcome(output="of the first " * 50))

    def go_on() -> None:
        page.empty(slot)
        page.words[b.USED] = 0
        page.put([claim(6)], None)
        page.done(slot, Outcome(output="of the second"))

    page.text = Meddled(page.text, go_on)
    (entry,) = page.entries()
    assert (entry.claim.holder, entry.outcome) == (6, Outcome(output="of the second"))
