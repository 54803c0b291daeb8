"""Between a runner that is idle and its keeper no wake-up is lost, whoever of the two is quicker."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from django_simple_queue.backends import Session
from django_simple_queue.backends.waiting import QUICK, PostgreSQLWaiter
from django_simple_queue.worker import board as b
from django_simple_queue.worker import runner as runners
from django_simple_queue.worker.news import WAKE, read_news, write_news
from django_simple_queue.worker.options import Options
from django_simple_queue.worker.runner import Runner
from django_simple_queue.worker.threads import ThreadedRunner

OPTIONS = Options(alias="default", name="here", processes=2)


@pytest.fixture
def board() -> b.Board:
    board = b.Board(2)
    for page in board.pages[:2]:
        page.words[b.STATE] = b.PageState.LIVE
    return board


@pytest.fixture
def pipes(board: b.Board) -> Iterator[list[tuple[int, int]]]:
    """One for each page and one for the keeper: both ends, and reading waits for nothing."""
    made = [os.pipe() for _ in range(len(board.pages) + 1)]
    for ends in made:
        for end in ends:
            os.set_blocking(end, False)
    yield made
    for ends in made:
        for end in ends:
            os.close(end)


def woken_too_early(runner: Runner, wake_w: int) -> None:
    """The keeper wakes it when it has said that it is idle and has not read its news yet; and there is nothing."""
    runner.page.words[b.IDLE] = 0
    write_news(wake_w, WAKE)
    read_news(runner.wake.fd, "default")


def test_a_runner_does_not_sleep_while_its_page_does_not_say_so(
    board: b.Board, pipes: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (wake_r, wake_w), (_, poke_w) = pipes[0], pipes[-1]
    slept = []

    class Told(Runner):
        turns = 0

        def turn_over(self) -> bool:
            self.turns += 1
            if self.turns == 1:
                woken_too_early(self, wake_w)
            return self.turns == 3

    runner = Told(OPTIONS, board, board.pages[0], wake_r, poke_w)
    monkeypatch.setattr(runners, "LOOK_AGAIN", 0.0)
    monkeypatch.setattr(runners, "ring", lambda fd: slept.append(runner.page.words[b.IDLE]))  # the last before it
    runner.idle()
    assert slept == [1]


def test_a_runner_with_threads_looks_again_at_once(board: b.Board, pipes: list[tuple[int, int]]) -> None:
    (wake_r, wake_w), (_, poke_w) = pipes[0], pipes[-1]

    class Told(ThreadedRunner):
        looks = 0

        def fetch(self) -> bool:
            self.looks += 1
            if self.looks == 2:
                woken_too_early(self, wake_w)
            return False

    runner = Told(OPTIONS, board, board.pages[0], wake_r, poke_w)
    runner.next_look = 0.0
    assert not runner._look_beside()
    assert runner._look_is_due()
    assert not runner._look_beside()
    assert not runner._look_is_due()
    assert runner.page.words[b.IDLE]


def test_who_has_just_said_that_it_is_idle_looks_a_few_times_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """An enqueue that saw nobody idle may be committed any time later."""
    now = 100.0
    monkeypatch.setattr("django_simple_queue.backends.waiting.time.monotonic", lambda: now)
    waiter = PostgreSQLWaiter(Session())
    waiter.told = True  # asks no database then
    pauses = []
    waiter.look_is_due(0.0, 60.0)
    waiter.said_idle()
    for _ in range(8):
        waiter.looked(None)
        pauses.append(waiter.next_look - now)
        now = waiter.next_look
        waiter.told = True
        waiter.look_is_due(0.0, 60.0)
    assert pauses[:2] == pytest.approx([QUICK, QUICK])
    assert pauses[2:6] == pytest.approx([QUICK * 2**n for n in range(1, 5)])
    assert pauses[-1] == pytest.approx(60)
