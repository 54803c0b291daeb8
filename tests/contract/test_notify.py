"""An enqueue tells idle workers at its commit, and nobody if none is idle: where the database can tell."""

from __future__ import annotations

import datetime
import os
import select
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from django.db.models.signals import post_save
from django.utils import timezone

from django_simple_queue import create_task, create_tasks, retry_task
from django_simple_queue.backends import OwnSession
from django_simple_queue.backends.dialects import CHANNEL
from django_simple_queue.backends.waiting import PostgreSQLWaiter
from django_simple_queue.models import Task, Worker

from .cases import DatabaseCase

JOB = "tests.jobs.tasks.noop"
LAST = "that was all"  # notified behind a test's own: they come in the order of their commits
PATIENCE = 30.0


def hear(**kwargs: Any) -> None:
    pass


def one_that_is_heard() -> None:
    post_save.connect(hear, sender=Task)
    try:
        create_task(JOB)
    finally:
        post_save.disconnect(hear, sender=Task)


WAYS: dict[str, Callable[[], Any]] = {
    "one": lambda: create_task(JOB),
    "unique": lambda: create_task(JOB, unique_key="key"),
    "heard": one_that_is_heard,
    "later": lambda: create_task(JOB, run_after=datetime.timedelta(hours=1)),
    "many": lambda: create_tasks([{"task": JOB}, {"task": JOB, "unique_key": "another key"}, {"task": JOB}]),
}


class TestNotify(DatabaseCase):
    def setUp(self) -> None:
        self.listener, self.other = OwnSession(), OwnSession()
        self.addCleanup(self.listener.close)
        self.addCleanup(self.other.close)
        if self.listener.dialect.wake("workers", "idle") is None:
            self.skipTest("this database tells nobody of a new task")
        self.listener.write(f"LISTEN {CHANNEL}")
        self.poke, write = os.pipe()
        self.addCleanup(os.close, self.poke)
        self.addCleanup(os.close, write)

    def worker(self, **given: Any) -> Worker:
        usual = {"name": "w", "host": "h", "pid": 1, "beat_at": timezone.now(), "started_at": timezone.now()}
        return Worker.objects.create(**usual | given)

    def heard(self) -> int:
        """How many notifications were sent since this was last asked."""
        return len(self.told())

    def told(self) -> list[str]:
        """What was sent since this was last asked."""
        self.other.rows(f"SELECT pg_notify('{CHANNEL}', '{LAST}')")
        payloads: list[str] = []
        while LAST not in payloads:
            raw = self.listener.connection.connection
            assert select.select([raw], [], [], PATIENCE)[0], "a notification of our own did not come"
            payloads += received(raw)
        assert payloads[-1] == LAST
        return payloads[:-1]

    def test_every_way_tells_once_if_a_worker_is_idle(self) -> None:
        self.worker(idle=True)
        self.worker(idle=True)
        self.worker(idle=False)
        for way, enqueue in WAYS.items():
            enqueue()
            assert self.heard() == 1, way

    def test_nobody_is_told_if_no_worker_is_idle(self) -> None:
        self.worker(idle=False)
        self.worker(idle=True, state=Worker.DEAD)
        for way, enqueue in WAYS.items():
            enqueue()
            assert self.heard() == 0, way
        assert Task.objects.count() == len(WAYS) + 2

    def test_it_is_told_at_the_commit_and_not_before(self) -> None:
        self.worker(idle=True)
        for way, enqueue in WAYS.items():
            with transaction.atomic():
                enqueue()
                assert self.heard() == 0, way
            assert self.heard() == 1, way

    def test_what_is_rolled_back_is_not_told(self) -> None:
        self.worker(idle=True)
        for way, enqueue in WAYS.items():
            with transaction.atomic():
                enqueue()
                transaction.set_rollback(True)
            assert self.heard() == 0, way
        assert not Task.objects.exists()

    def test_what_is_rolled_back_to_a_savepoint_is_not_told(self) -> None:
        self.worker(idle=True)
        for way, enqueue in WAYS.items():
            with transaction.atomic():
                with transaction.atomic():
                    enqueue()
                    transaction.set_rollback(True)
                assert not connection.needs_rollback
            assert self.heard() == 0, way

    def test_a_task_that_is_to_run_again_is_told(self) -> None:
        task = Task.objects.create(task=JOB, args="{}", status=Task.FAILED, finished_at=timezone.now())
        self.worker(idle=True)
        assert retry_task(task.id)
        assert self.heard() == 1
        assert not retry_task(task.id)
        assert self.heard() == 0

    def test_the_queue_is_named_if_it_is_one(self) -> None:
        self.worker(idle=True)
        create_task(JOB, queue="a")
        assert self.told() == ["a"]
        create_task(JOB, queue="it's b", unique_key="key")
        assert self.told() == ["it's b"]
        create_tasks([{"task": JOB, "queue": "c"}] * 2)
        assert self.told() == ["c"]
        create_tasks([{"task": JOB, "queue": queue} for queue in "ab"])
        assert self.told() == [""]

    def test_a_keeper_hears_of_its_own_queues(self) -> None:
        self.worker(idle=True)
        some, every = PostgreSQLWaiter(self.listener, ("a", "b")), PostgreSQLWaiter(self.other)
        for queues, expected in ((["a"], True), (["c"], False), (["c", "b"], True), (["c"], False)):
            for waiter in (some, every):
                waiter.look_is_due(0.0, 60.0)  # it listens
                waiter.looked(None)
                waiter.told = False
            create_tasks([{"task": JOB, "queue": queue} for queue in queues])
            for waiter in (some, every):
                waiter.session.rows("SELECT 1")  # what was committed before has come with the answer
                waiter.wait(0.0, self.poke)
            assert (some.told, every.told) == (expected, True), queues

    def test_the_setting_turns_it_off(self) -> None:
        self.worker(idle=True)
        for way, enqueue in WAYS.items():
            with self.settings(DJANGO_SIMPLE_QUEUE_NOTIFY=False):
                enqueue()
            assert self.heard() == 0, way


def received(raw: Any) -> list[str]:
    """The payloads that have come on a driver's connection."""
    payloads = []
    if hasattr(raw, "pgconn"):  # psycopg 3
        raw.pgconn.consume_input()
        while found := raw.pgconn.notifies():
            payloads.append(found.extra.decode())
    else:
        raw.poll()
        payloads = [found.payload for found in raw.notifies]
        raw.notifies.clear()
    return payloads
