"""Whom a keeper wakes, and when it looks for work: one keeper in this process, its runners played by the board."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from django_simple_queue import create_task
from django_simple_queue.backends.dialects import CHANNEL
from django_simple_queue.backends.waiting import PostgreSQLWaiter
from django_simple_queue.models import Task, Worker
from django_simple_queue.worker import board as b
from django_simple_queue.worker.keeper import TICK, Keeper
from django_simple_queue.worker.options import Options

from .stage import Stage, create

ECHO = "tests.jobs.tasks.echo"
NOBODY = 2**20  # a worker's id that is long gone


class Ground:
    """A keeper and two idle runners' pages, with their pipes."""

    def __init__(self) -> None:
        self.board = b.Board(2)
        self.pipes = [os.pipe() for _ in range(len(self.board.pages) + 1)]
        for read, write in self.pipes:
            os.set_blocking(read, False)
            os.set_blocking(write, False)
        self.pages = self.board.pages[:2]
        for page in self.pages:
            page.words[b.STATE], page.words[b.IDLE] = b.PageState.LIVE, 1
        self.open()

    def open(self) -> None:
        """The first keeper, or one that takes its place."""
        wakes = [write for _, write in self.pipes[1:]]
        self.keeper = Keeper(Options(alias="default", name="k", verbosity=0), self.board, self.pipes[0][0], wakes)
        self.keeper._open()

    def woken(self) -> list[int]:
        """Which of the two have news since the last time."""
        return [page.index for page in self.pages if self._news(page)]

    def _news(self, page: b.Page) -> bool:
        try:
            return bool(os.read(self.pipes[page.index + 1][0], 65536))
        except BlockingIOError:
            return False

    def close(self) -> None:
        self.keeper.session.close()
        for ends in self.pipes:
            for end in ends:
                os.close(end)


@pytest.fixture
def ground(transactional_db: None) -> Iterator[Ground]:
    ground = Ground()
    yield ground
    ground.close()


def test_one_that_is_claiming_is_not_woken_in_place_of_one_that_waits(ground: Ground) -> None:
    """Its claim may have missed this task and found another: then nobody would come for this one."""
    claiming, waiting = ground.pages
    claiming.number_claim(ground.board.control[b.C_WORKER], len(ground.board.pages))
    create_task(ECHO)
    ground.keeper._round()
    assert ground.woken() == [waiting.index]


@pytest.mark.parametrize(
    ("claiming", "idle", "woken"),
    [
        ((), (0, 1), [0]),
        ((0,), (0, 1), [1]),  # it may have taken another task, which the look did not see any more
        ((0, 1), (0, 1), [0]),  # or may find nothing, since it asked too early
        ((), (1,), [1]),  # the first had taken something before the look was over
    ],
)
def test_a_look_wakes_first_who_is_not_just_claiming(
    ground: Ground, claiming: tuple[int, ...], idle: tuple[int, ...], woken: list[int]
) -> None:
    create_task(ECHO)
    for page in ground.pages:
        page.words[b.IDLE] = page.index in idle
        page.words[b.PENDING] = page.index in claiming
    ground.keeper.waiter.look_is_due(0.0, None)
    ground.keeper._look(len(ground.pages))
    assert ground.woken() == woken


def test_all_are_woken_if_there_is_work_for_all(ground: Ground) -> None:
    for _ in range(2):
        create_task(ECHO)
    ground.keeper._round()
    assert ground.woken() == [page.index for page in ground.pages]


def test_what_a_keeper_takes_back_itself_has_somebody_woken_at_once(ground: Ground) -> None:
    """Where the database tells of others' commits, it does not tell of one's own."""
    key = create_task(ECHO)
    Task.objects.filter(pk=key).update(status=Task.PROGRESS, holder=NOBODY << 32)
    ground.keeper.next_beat = time.monotonic() + 60
    ground.keeper._round()
    assert ground.woken() == []
    ground.keeper.next_beat = 0.0
    ground.keeper._round()
    assert len(ground.woken()) == 1


def test_after_a_lease_that_had_run_out_somebody_looks_at_once(ground: Ground) -> None:
    """Whoever was woken meanwhile has claimed nothing."""
    create_task(ECHO)
    ground.keeper._round()
    assert len(ground.woken()) == 1
    for page in ground.pages:
        page.words[b.IDLE] = 1
    ground.board.control[b.C_DEADLINE] = 1
    ground.keeper.next_beat = 0.0
    ground.keeper._round()
    assert len(ground.woken()) == 1


def test_a_due_task_that_somebody_has_locked_is_no_reason_to_spin(ground: Ground) -> None:
    if not connection.features.has_select_for_update_skip_locked:
        pytest.skip("nothing passes a locked row over")
    key = create_task(ECHO, run_after=timedelta(hours=1))
    Task.objects.filter(pk=key).update(run_after=timezone.now() - timedelta(minutes=1))
    ground.keeper.next_beat = time.monotonic() + 60
    with transaction.atomic():
        Task.objects.select_for_update().get(pk=key)
        before = time.monotonic()
        ground.keeper._round()
        assert ground.keeper.waiter.next_look >= before + min(ground.keeper.waiter.pause, TICK)
    assert ground.woken() == []


def test_what_is_told_during_a_look_is_not_forgotten(ground: Ground) -> None:
    waiter, session = ground.keeper.waiter, ground.keeper.session
    if not isinstance(waiter, PostgreSQLWaiter):
        pytest.skip("nobody tells")
    poke = ground.pipes[0][0]
    waiter.wait(0, poke)  # listens from now on
    assert waiter.look_is_due(0.0, None)
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")
    session.rows("SELECT pg_sleep(0.1)")  # the look; the notification comes with its answer
    waiter.looked(None)
    waiter.wait(30, poke)
    assert waiter.told


def test_who_began_to_enqueue_before_somebody_was_idle_need_not_wait_for_the_fallback(ground: Ground) -> None:
    """It notifies nobody, and may be committed after the look that comes with falling idle."""
    if not connection.features.has_select_for_update:
        pytest.skip("one writer keeps out all others")
    with transaction.atomic():
        create_task(ECHO)
        ground.keeper._round()
        assert ground.woken() == []
        assert ground.keeper.waiter.next_look <= time.monotonic() + TICK


def test_a_keeper_that_follows_another_says_anew_who_is_idle(ground: Ground) -> None:
    ground.keeper._round()
    for page in ground.pages:
        page.words[b.IDLE] = 0
    ground.keeper.session.close()
    ground.open()
    assert not Worker.objects.filter(idle=True).exists()


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_burst_ends_when_its_last_runner_falls_idle(stage: Stage, threads: str) -> None:
    """However long the looks of those that were idle before are apart."""
    settings = {"heartbeat_seconds": 60, "lease_seconds": 200}
    create("wait_for", {"name": "go"})
    worker = stage.worker(
        "--burst", "--processes", "2", "--threads", threads, "--poll-interval", "300", settings=settings
    )
    stage.await_starts(1)
    time.sleep(0.5)  # the other one has looked
    stage.let("go")
    assert worker.wait() == 0, worker.said
