"""release, rescue, loss: tasks go back to the queue without having ended."""

from __future__ import annotations

from unittest import mock

from django.test import override_settings

from django_simple_queue.models import Task
from django_simple_queue.queue import rescue
from django_simple_queue.queue.enqueue import slot_of
from django_simple_queue.queue.finish import release, release_holder
from django_simple_queue.queue.rescue import held_numbers, lose_one, rescue_worker
from django_simple_queue.records import HOLDERS_PER_WORKER

from .cases import TransitionCase

SLOTTED = {"unique_key": "key", "unique_slot": slot_of("key")}


class TestRelease(TransitionCase):
    def test_the_task_keeps_its_place_and_nothing_is_counted(self) -> None:
        tasks = self.add(3, attempt=1)
        self.change(tasks[:1], **SLOTTED)
        release(self.session, self.claim(2))
        row = self.row(tasks[0])
        assert (row.status, row.holder, row.attempt, row.losses) == (Task.QUEUED, None, 1, 0)
        assert (row.finished_at, row.unique_slot) == (None, SLOTTED["unique_slot"])
        assert self.attempts(tasks[0]) == []
        self.assert_claimed(self.claim(3), tasks)

    def test_what_was_asked_to_cancel_is_cancelled(self) -> None:
        task, found = self.claimed(**SLOTTED)
        self.change([task], cancel_requested=True)
        release(self.session, [found])
        row = self.row(task)
        assert (row.status, row.holder, row.unique_slot) == (Task.CANCELLED, None, None)
        assert row.finished_at is not None

    def test_a_status_that_a_person_set_meanwhile_stays(self) -> None:
        for status in (Task.QUEUED, Task.COMPLETED, Task.FAILED, Task.CANCELLED, Task.SCHEDULED):
            task, found = self.claimed()
            self.change([task], status=status)
            release(self.session, [found])
            row = self.row(task)
            assert (row.status, row.holder) == (status, None)
            assert (row.finished_at is not None) == (status in (Task.COMPLETED, Task.FAILED, Task.CANCELLED))
            self.change([task], status=Task.CANCELLED)

    def test_who_no_longer_holds_changes_nothing(self) -> None:
        task, found = self.claimed()
        self.change([task], holder=7)
        before = self.values(task)
        release(self.session, [found])
        assert release_holder(self.session, found.holder) == 0
        assert self.values(task) == before

    def test_all_under_one_number(self) -> None:
        tasks = self.add(3)
        mine = self.claim(2)
        self.claim(1)
        assert release_holder(self.session, mine[0].holder) == 2
        assert [self.status(t) for t in tasks] == [Task.QUEUED, Task.QUEUED, Task.PROGRESS]


class TestRescue(TransitionCase):
    def rescue(self, worker_id: int | None = None) -> int:
        return rescue_worker(self.strategy(self.session), worker_id or self.worker_id, "its worker died")

    def test_a_task_is_queued_again_with_a_loss(self) -> None:
        task, found = self.claimed(attempt=1, error="earlier", **SLOTTED)
        assert self.rescue() == 1
        row = self.row(task)
        assert (row.status, row.holder, row.attempt, row.losses) == (Task.QUEUED, None, 1, 1)
        assert (row.finished_at, row.unique_slot, row.error) == (None, SLOTTED["unique_slot"], "earlier")
        (lost,) = self.attempts(task)
        assert (lost.kind, lost.error, lost.worker, lost.number) == ("lost", "its worker died", "contract", 2)
        assert self.finish(found).lost == [found]

    @override_settings(DJANGO_SIMPLE_QUEUE_MAX_WORKER_LOSSES=2)
    def test_the_last_loss_fails_it(self) -> None:
        task, _found = self.claimed(losses=1, **SLOTTED)
        self.rescue()
        row = self.row(task)
        assert (row.status, row.losses, row.error, row.unique_slot) == (Task.FAILED, 2, "its worker died", None)
        assert row.finished_at is not None

    def test_what_was_asked_to_cancel_is_cancelled(self) -> None:
        task, _found = self.claimed(losses=2)
        self.change([task], cancel_requested=True)
        self.rescue()
        assert (self.status(task), self.row(task).losses) == (Task.CANCELLED, 3)

    def test_whatever_the_status(self) -> None:
        for status in (Task.QUEUED, Task.COMPLETED, Task.FAILED, Task.CANCELLED, Task.SCHEDULED):
            task, _found = self.claimed()
            self.change([task], status=status)
            assert self.rescue() == 1
            row = self.row(task)
            assert (row.status, row.holder, row.losses) == (status, None, 1)
            self.change([task], status=Task.CANCELLED)

    def test_a_worker_whose_row_is_gone(self) -> None:
        (task,) = self.add(status=Task.PROGRESS, holder=99 * HOLDERS_PER_WORKER + 5)
        assert self.rescue(99) == 1
        assert self.status(task) == Task.QUEUED

    def test_other_workers_keep_what_they_hold(self) -> None:
        low = self.worker_id * HOLDERS_PER_WORKER
        theirs = [t for h in (low - 1, low + HOLDERS_PER_WORKER) for t in self.add(status=Task.PROGRESS, holder=h)]
        mine = [t for h in (low, low + HOLDERS_PER_WORKER - 1) for t in self.add(status=Task.PROGRESS, holder=h)]
        assert self.rescue() == 2
        assert {self.status(t) for t in theirs} == {Task.PROGRESS}
        assert {self.status(t) for t in mine} == {Task.QUEUED}

    def test_more_than_one_batch(self) -> None:
        tasks = self.add(7)
        self.claim(7)
        with mock.patch.object(rescue, "BATCH", 3):
            assert self.rescue() == 7
        assert [self.row(t).losses for t in tasks] == [1] * 7

    def test_it_is_counted_once(self) -> None:
        task, _found = self.claimed()
        assert (self.rescue(), self.rescue()) == (1, 0)
        assert self.row(task).losses == 1

    def test_a_task_rescued_again_and_again_comes_alone_and_then_fails(self) -> None:
        task, _found = self.claimed()
        self.add()
        for _ in range(2):
            self.rescue()
            self.assert_claimed(self.claim(5), [task])
        self.rescue()
        assert self.status(task) == Task.FAILED
        assert [a.number for a in self.attempts(task)] == [1, 2, 3]


class TestLoseOne(TransitionCase):
    def test_the_task_that_ran_takes_the_loss(self) -> None:
        task, found = self.claimed()
        assert lose_one(self.session, found.id, found.holder, "killed by signal 9") == Task.QUEUED
        row = self.row(task)
        assert (row.status, row.holder, row.losses) == (Task.QUEUED, None, 1)
        assert [a.error for a in self.attempts(task)] == ["killed by signal 9"]

    @override_settings(DJANGO_SIMPLE_QUEUE_MAX_WORKER_LOSSES=1)
    def test_it_says_when_that_was_the_last(self) -> None:
        _task, found = self.claimed()
        assert lose_one(self.session, found.id, found.holder, "why") == Task.FAILED

    def test_who_no_longer_holds_changes_nothing(self) -> None:
        task, found = self.claimed()
        before = self.values(task)
        assert lose_one(self.session, found.id, found.holder + 1, "why") is None
        assert (self.values(task), self.attempts(task)) == (before, [])


class TestHeldNumbers(TransitionCase):
    def test_each_number_once(self) -> None:
        self.add(4)
        first, second = self.claim(2), self.claim(1)
        assert sorted(held_numbers(self.session)) == [first[0].holder, second[0].holder]
