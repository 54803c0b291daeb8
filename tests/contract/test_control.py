"""cancel and retry: what a person asks of one task."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any
from unittest import mock

from django.db import transaction
from django.utils import timezone

from django_simple_queue.backends import Session
from django_simple_queue.models import Task
from django_simple_queue.queue.control import cancel, retry
from django_simple_queue.queue.enqueue import slot_of
from django_simple_queue.states import ENDS, UNFINISHED

from .cases import TransitionCase

SLOTTED = {"unique_key": "key", "unique_slot": slot_of("key")}


class TestCancel(TransitionCase):
    def test_what_nobody_holds_ends_at_once(self) -> None:
        for status in UNFINISHED:  # PROGRESS: left by a 0.1.x worker
            (task,) = self.add(status=status, **SLOTTED)
            assert cancel(self.session, task.pk)
            row = self.row(task)
            assert (row.status, row.unique_slot) == (Task.CANCELLED, None)
            assert row.finished_at is not None

    def test_what_has_ended_stays_as_it_is(self) -> None:
        for status in ENDS:
            (task,) = self.add(status=status)
            before = self.values(task)
            assert not cancel(self.session, task.pk)
            assert self.values(task) == before
        assert not cancel(self.session, uuid.uuid4())

    def test_the_holder_of_a_running_task_is_asked(self) -> None:
        task, found = self.claimed()
        assert cancel(self.session, task.pk)
        row = self.row(task)
        assert (row.status, row.holder, row.cancel_requested) == (Task.PROGRESS, found.holder, True)

    def test_a_running_task_that_was_put_back_does_not_run_once_more(self) -> None:
        for status in (Task.QUEUED, Task.SCHEDULED):
            task, found = self.claimed()
            self.change([task], status=status)
            assert cancel(self.session, task.pk)
            assert self.status(task) == Task.PROGRESS
            self.finish(found)
            assert self.status(task) == Task.COMPLETED

    def test_a_running_task_that_a_person_ended(self) -> None:
        for status, answer in ((Task.CANCELLED, True), (Task.COMPLETED, False), (Task.FAILED, False)):
            task, _found = self.claimed()
            self.change([task], status=status)
            assert cancel(self.session, task.pk) is answer
            assert self.status(task) == status

    def test_a_later_claim_is_not_asked(self) -> None:
        task, found = self.claimed()
        cancel(self.session, task.pk)
        self.change([task], status=Task.QUEUED)
        self.finish(found)
        self.claim(1)
        assert not self.row(task).cancel_requested

    def test_a_task_given_back_between_the_two_statements(self) -> None:
        task, _found = self.claimed()
        with mock.patch.object(self.session, "write", self.after_first_write(task, holder=None, status=Task.SCHEDULED)):
            assert cancel(self.session, task.pk)
        assert self.status(task) == Task.CANCELLED

    def after_first_write(self, task: Task, **values: Any) -> Callable[..., int]:
        write, changes = self.session.write, [values]

        def and_then(*args: Any) -> int:
            count = write(*args)
            if changes:
                self.change([task], **changes.pop())
            return count

        return and_then


class TestRetry(TransitionCase):
    def test_an_ended_task_starts_anew(self) -> None:
        for status in ENDS:
            left = {"output": "o", "error": "e", "log": "l", "attempt": 2, "losses": 2, "cancel_requested": True}
            (task,) = self.add(status=status, unique_key=f"key {status}", finished_at=timezone.now(), **left)
            (later,) = self.add()
            assert retry(self.session, task.pk)
            row = self.row(task)
            assert (row.status, row.attempt, row.losses, row.cancel_requested) == (Task.QUEUED, 0, 0, False)
            assert (row.output, row.error, row.log, row.finished_at) == (None, None, None, None)
            assert row.unique_slot == slot_of(f"key {status}")
            self.assert_claimed(self.claim(5), [later, task])

    def test_only_what_has_ended(self) -> None:
        for status in (Task.QUEUED, Task.SCHEDULED):
            (task,) = self.add(status=status)
            assert not retry(self.session, task.pk)
        assert not retry(self.session, uuid.uuid4())

    def test_not_what_is_held(self) -> None:
        task, _found = self.claimed()
        for status in (Task.PROGRESS, *ENDS):
            self.change([task], status=status)
            before = self.values(task)
            assert not retry(self.session, task.pk)
            assert self.values(task) == before

    def test_what_an_old_worker_left_in_progress_may_be_restarted(self) -> None:
        (task,) = self.add(status=Task.PROGRESS)
        assert retry(self.session, task.pk)
        assert self.status(task) == Task.QUEUED

    def test_not_while_another_task_has_its_key(self) -> None:
        (ended,) = self.add(status=Task.FAILED, unique_key="key")
        (other,) = self.add(**SLOTTED)
        assert not retry(self.session, ended.pk)
        with transaction.atomic():  # which goes on
            assert not retry(Session(self.alias), ended.pk)
            assert Task.objects.count() == 2
        assert self.status(ended) == Task.FAILED
        cancel(self.session, other.pk)
        assert retry(self.session, ended.pk)
