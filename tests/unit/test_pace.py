"""How many tasks are claimed at once, and what is written into a runner's pipe."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from django_simple_queue.worker import listeners, news
from django_simple_queue.worker.pace import BATCH_SECONDS, LARGEST, Pace


def after(*seconds: float, threads: int = 1) -> int:
    pace = Pace(threads)
    for each in seconds:
        pace.took(each)
    return pace.batch()


def test_quick_tasks_come_by_the_hundred_and_slow_ones_one_by_one() -> None:
    assert after(*[1e-5] * 20) == LARGEST
    assert after(*[1e-5] * 20, 5.0) == 1
    assert after(3600.0) == 1


def test_a_batch_is_about_the_work_that_was_meant() -> None:
    assert after(*[0.01] * 50) == pytest.approx(BATCH_SECONDS / 0.01, rel=0.1)


def test_one_slow_task_makes_careful_at_once_and_quick_ones_bold_again() -> None:
    pace = Pace()
    for _ in range(50):
        pace.took(1e-4)
    assert pace.batch() > 50
    pace.took(2.0)
    assert pace.batch() == 1
    for _ in range(100):
        pace.took(1e-4)
    assert pace.batch() > 50


def test_every_thread_gets_a_task() -> None:
    assert after(60.0, threads=8) == 8


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    yield read, write
    os.close(read)
    os.close(write)


def test_news_of_the_dead_is_told_once_and_wake_ups_say_nothing(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[uuid.UUID, type | None]] = []
    monkeypatch.setattr(
        listeners, "on_failure", lambda claim, alias, error: told.append((claim.uuid, error and type(error)))
    )
    read, write = pipe
    lost, late = uuid.uuid4(), uuid.uuid4()
    for kind, task in ((news.WAKE, None), (news.LOST, lost), (news.WAKE, None), (news.TIMED_OUT, late)):
        news.write_news(write, kind, task)
    news.read_news(read, "default")
    news.read_news(read, "default")
    assert told == [(lost, None), (late, TimeoutError)]


def test_a_full_pipe_blocks_nobody(pipe: tuple[int, int]) -> None:
    read, write = pipe
    for _ in range(5000):
        news.write_news(write, news.WAKE)
        news.ring(write)
    news.drain(read)
