"""catch_up, promote, outlook, expire, tidy, prune: what time brings."""

from __future__ import annotations

import datetime
from typing import Any
from unittest import mock

from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_simple_queue.models import Attempt, Task
from django_simple_queue.queue import upkeep
from django_simple_queue.queue.enqueue import slot_of
from django_simple_queue.queue.upkeep import catch_up, expire, outlook, promote, prune, tidy
from django_simple_queue.states import ENDS

from .cases import TransitionCase

SLOTTED = {"unique_key": "key", "unique_slot": slot_of("key")}


def ago(**given: Any) -> datetime.datetime:
    return timezone.now() - datetime.timedelta(**given)


def ahead(**given: Any) -> datetime.datetime:
    return timezone.now() + datetime.timedelta(**given)


class TestCatchUp(TransitionCase):
    def test_whatever_is_due_is_done(self) -> None:
        due = [*self.add(status=Task.SCHEDULED, run_after=ago(minutes=1)), *self.add(status=Task.SCHEDULED)]
        late = [*self.add(expires=ago(minutes=1)), *self.add(status=Task.SCHEDULED, expires=ago(minutes=1))]
        by_hand = self.add(status=Task.COMPLETED)
        waiting = self.add(status=Task.SCHEDULED, run_after=ahead(minutes=1), expires=ahead(minutes=1))
        catch_up(self.strategy(self.session))
        assert [self.status(task) for task in due] == [Task.QUEUED] * 2
        assert [self.status(task) for task in late] == [Task.CANCELLED] * 2
        assert self.row(by_hand[0]).finished_at is not None
        assert self.status(waiting[0]) == Task.SCHEDULED

    def test_nothing_that_is_due_costs_one_statement(self) -> None:
        self.add(status=Task.SCHEDULED, run_after=ahead(minutes=1), expires=ahead(minutes=1))
        self.add(status=Task.COMPLETED, finished_at=ago(minutes=1))
        with CaptureQueriesContext(self.session.connection) as sent:
            catch_up(self.strategy(self.session))
        assert len(sent) == 1, sent.captured_queries


class TestPromote(TransitionCase):
    def promote(self) -> int:
        return promote(self.strategy(self.session))

    def test_what_is_due_is_queued_at_its_old_place(self) -> None:
        (first,) = self.add(status=Task.SCHEDULED, run_after=ago(minutes=1), **SLOTTED)
        (second,) = self.add()
        (third,) = self.add(status=Task.SCHEDULED, run_after=None)
        assert self.promote() == 2
        self.assert_claimed(self.claim(5), [first, second, third])
        assert self.row(first).unique_slot is not None

    def test_what_is_not_due_or_is_held_stays(self) -> None:
        tasks = self.add(status=Task.SCHEDULED, run_after=ahead(minutes=1))
        tasks += self.add(status=Task.SCHEDULED, run_after=ago(minutes=1), holder=7)
        assert self.promote() == 0
        assert {self.status(t) for t in tasks} == {Task.SCHEDULED}

    def test_tasks_without_a_time_do_not_wait_behind_others(self) -> None:
        with mock.patch.object(upkeep, "BATCH", 2):
            self.add(5, status=Task.SCHEDULED, run_after=ago(minutes=1))
            self.add(2, status=Task.SCHEDULED, run_after=None)
            while self.promote():
                pass
        assert Task.objects.filter(status=Task.QUEUED).count() == 7


class TestOutlook(TransitionCase):
    def test_counts_what_could_be_claimed_up_to_a_limit(self) -> None:
        self.add(3, queue="a")
        self.add(2, queue="b")
        self.add(queue="c", holder=7)
        self.add(queue="c", expires=ago(minutes=1))
        self.add(queue="c", run_after=ahead(hours=1))
        for queues, runnable in (((), 5), (("a",), 3), (("b", "a"), 5), (("c", "none"), 0)):
            assert outlook(self.session, queues, 10).runnable == runnable
        assert outlook(self.session, (), 4).runnable == 4

    def test_says_when_the_next_is_due(self) -> None:
        assert outlook(self.session, (), 1).due_in is None
        self.add(status=Task.SCHEDULED, run_after=ahead(hours=2))
        self.add(status=Task.SCHEDULED, run_after=ahead(hours=1))
        wait = outlook(self.session, (), 1).due_in
        assert wait is not None
        assert 3590 < wait < 3601
        self.add(status=Task.SCHEDULED, run_after=ago(hours=1))
        assert outlook(self.session, (), 1).due_in == 0

    def test_what_somebody_holds_is_not_due(self) -> None:
        self.add(status=Task.SCHEDULED, run_after=ago(hours=1), holder=7)
        assert outlook(self.session, (), 1).due_in is None


class TestExpire(TransitionCase):
    def test_what_waits_and_is_past_its_time_is_cancelled(self) -> None:
        for status in (Task.QUEUED, Task.SCHEDULED):
            (late,) = self.add(status=status, expires=ago(minutes=1), **SLOTTED)
            (fresh,) = self.add(status=status, expires=ahead(minutes=1))
            (endless,) = self.add(status=status)
            assert expire(self.session) == 1
            row = self.row(late)
            assert (row.status, row.error, row.unique_slot) == (Task.CANCELLED, "expired", None)
            assert row.finished_at is not None
            assert (self.status(fresh), self.status(endless)) == (status, status)

    def test_a_pass_is_several_batches_but_not_endless(self) -> None:
        self.add(25, expires=ago(minutes=1))
        with mock.patch.multiple(upkeep, BATCH=2, BATCHES=5):
            assert [expire(self.session) for _ in range(4)] == [10, 10, 5, 0]

    def test_what_is_held_or_has_ended_stays(self) -> None:
        for given in ({"holder": 7}, {"holder": 7, "status": Task.PROGRESS}, {"status": Task.FAILED}):
            (task,) = self.add(expires=ago(minutes=1), **given)
            before = self.values(task)
            assert expire(self.session) == 0
            assert self.values(task) == before


class TestTidy(TransitionCase):
    def test_an_end_that_a_person_set_is_dated_and_its_key_freed(self) -> None:
        for status in ENDS:
            (task,) = self.add(status=status, **SLOTTED)
            assert tidy(self.session) == 1
            row = self.row(task)
            assert (row.status, row.unique_slot) == (status, None)
            assert row.finished_at is not None
            assert tidy(self.session) == 0

    def test_rows_of_an_older_version_keep_their_own_time(self) -> None:
        (task,) = self.add(status=Task.COMPLETED, seq=0)
        self.change([task], modified=ago(days=9))
        tidy(self.session)
        assert self.row(task).finished_at == self.row(task).modified

    def test_what_is_held_or_unfinished_stays(self) -> None:
        self.add(status=Task.COMPLETED, holder=7)
        for status in (Task.QUEUED, Task.PROGRESS, Task.SCHEDULED):
            self.add(status=status)
        assert tidy(self.session) == 0


class TestPrune(TransitionCase):
    def test_old_ends_are_deleted_and_nothing_else(self) -> None:
        old = {"finished_at": ago(hours=2)}
        for status in ENDS:
            self.add(status=status, **old)
        kept = [
            *self.add(status=Task.COMPLETED, finished_at=ago(minutes=30)),
            *self.add(status=Task.COMPLETED, holder=7, **old),
            *self.add(status=Task.QUEUED, **old),
            *self.add(status=Task.COMPLETED),
        ]
        assert prune(self.session, 3600) == 3
        assert set(Task.objects.values_list("pk", flat=True)) == {t.pk for t in kept}

    def test_attempts_go_with_their_task(self) -> None:
        (old,) = self.add(status=Task.FAILED, finished_at=ago(hours=2))
        (young,) = self.add(status=Task.FAILED, finished_at=ago(minutes=1))
        for task in (old, old, young):
            Attempt.objects.create(task_id=task.pk, number=1, ended_at=ago(hours=2), kind="error")
        assert prune(self.session, 3600) == 1
        assert list(Attempt.objects.values_list("task_id", flat=True)) == [young.pk]
