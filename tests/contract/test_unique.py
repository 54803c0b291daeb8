"""unique_key: one unfinished task a key, whoever adds it and when."""

from __future__ import annotations

import time
import uuid
from concurrent import futures
from typing import Any

from django.db import connection, transaction

from django_simple_queue.backends import Session
from django_simple_queue.models import Task
from django_simple_queue.queue.control import cancel
from django_simple_queue.queue.enqueue import enqueue, enqueue_many
from django_simple_queue.records import failure
from django_simple_queue.validation import NewTask

from .cases import TransitionCase


def new(key: str | None = "key", **given: Any) -> NewTask:
    return NewTask("contract.task", "{}", unique_key=key, **given)


class TestUniqueKey(TransitionCase):
    def enqueue(self, key: str = "key", **given: Any) -> uuid.UUID:
        return enqueue(Session(self.alias), new(key, **given))

    def test_the_unfinished_task_comes_back(self) -> None:
        first = self.enqueue()
        assert self.enqueue() == first
        (found,) = self.claim(5)
        assert self.enqueue() == first
        self.finish(found)
        assert self.enqueue() != first
        assert Task.objects.count() == 2

    def test_a_task_that_waits_for_its_next_attempt_is_unfinished(self) -> None:
        first = self.enqueue(max_attempts=2)
        self.finish(*self.claim(1), outcome=failure("once"))
        assert self.enqueue() == first

    def test_a_cancelled_task_is_finished(self) -> None:
        first = self.enqueue()
        cancel(self.session, first)
        assert self.enqueue() != first

    def test_keys_are_compared_exactly(self) -> None:
        assert len({self.enqueue(key) for key in ("key", "Key", "key ", "k\u00e9y", "key\t")}) == 5

    def test_many_at_once(self) -> None:
        first = self.enqueue("a")
        ids = enqueue_many(Session(self.alias), [new("a"), new(None), new("b"), new("b"), new(None)])
        assert ids[0] == first
        assert ids[2] == ids[3]
        assert len(set(ids)) == 4 == Task.objects.count()

    def test_the_callers_transaction_goes_on_and_its_rollback_frees_the_key(self) -> None:
        with transaction.atomic():
            first = self.enqueue()
            assert self.enqueue() == first
            assert Task.objects.count() == 1
            transaction.set_rollback(True)
        assert self.enqueue() != first
        assert Task.objects.count() == 1

    def test_an_end_set_by_hand_frees_the_key(self) -> None:
        first = self.enqueue()
        Task.objects.update(status=Task.FAILED)
        second = self.enqueue()
        assert second != first
        row = Task.objects.get(pk=first)
        assert (row.status, row.unique_slot) == (Task.FAILED, None)
        assert row.finished_at is not None
        assert self.enqueue() == second

    def test_not_while_it_still_runs(self) -> None:
        first = self.enqueue()
        self.claim(1)
        Task.objects.update(status=Task.FAILED)
        assert self.enqueue() == first

    def test_one_put_back_by_hand_has_no_key(self) -> None:
        self.enqueue()
        self.finish(*self.claim(1))
        Task.objects.update(status=Task.QUEUED)
        self.enqueue()
        assert Task.objects.filter(status=Task.QUEUED).count() == 2

    def race(self, commit: bool) -> tuple[uuid.UUID, uuid.UUID]:
        """The key is added while another transaction that has added it is open."""

        def rival() -> uuid.UUID:
            try:
                return self.enqueue()
            finally:
                connection.close()

        with futures.ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                first = self.enqueue()
                second = pool.submit(rival)
                time.sleep(0.2)
                transaction.set_rollback(not commit)
            return first, second.result(timeout=20)

    def test_a_rival_that_commits_has_it(self) -> None:
        first, second = self.race(commit=True)
        assert first == second
        assert Task.objects.count() == 1

    def test_a_rival_that_rolls_back_leaves_it(self) -> None:
        first, second = self.race(commit=False)
        assert first != second
        assert [task.pk for task in Task.objects.all()] == [second]
