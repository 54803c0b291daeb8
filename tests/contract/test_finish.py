"""finish: who holds a task ends it; who no longer does changes nothing."""

from __future__ import annotations

import datetime
from typing import Any
from unittest import mock

from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from django_simple_queue import backoff
from django_simple_queue.backends import Session
from django_simple_queue.models import Task
from django_simple_queue.queue.enqueue import slot_of
from django_simple_queue.queue.finish import finish, show_output
from django_simple_queue.records import PLAIN_SUCCESS, Outcome, failure

from .cases import TransitionCase

BY_HAND = (Task.QUEUED, Task.COMPLETED, Task.FAILED, Task.CANCELLED, Task.SCHEDULED)
SLOTTED = {"unique_key": "key", "unique_slot": slot_of("key")}


class TestFinish(TransitionCase):
    def test_a_success(self) -> None:
        task, found = self.claimed(error="of an earlier run", attempt=1, **SLOTTED)
        assert self.finish(found, outcome=Outcome(output="out", log="log")) == ([], [])
        row = self.row(task)
        assert (row.status, row.holder, row.unique_slot) == (Task.COMPLETED, None, None)
        assert (row.output, row.error, row.log, row.attempt) == ("out", None, "log", 1)
        assert row.worker == "contract"
        assert abs(timezone.now() - row.finished_at) < datetime.timedelta(seconds=10)
        assert self.attempts(task) == []

    def test_a_batch_of_plain_successes_is_one_statement(self) -> None:
        tasks = self.add(20)
        claims = self.claim(20)
        sent = []
        with self.session.connection.execute_wrapper(lambda execute, *args: [sent.append(args[0]), execute(*args)][1]):
            self.finish(*claims)
        assert len(sent) == 1
        assert {self.status(task) for task in tasks} == {Task.COMPLETED}

    def test_each_of_a_large_batch_keeps_its_own_texts(self) -> None:
        tasks = self.add(120)
        done = [(found, Outcome(output=str(found.seq) if found.seq % 3 else None)) for found in self.claim(120)]
        assert finish(self.session, done).lost == []
        for task in tasks:
            assert self.row(task).output == (str(task.seq) if task.seq % 3 else None)

    def test_what_the_server_would_hang_up_on_is_cut(self) -> None:
        most = self.session.dialect.largest_statement()
        if most is None:
            self.skipTest("a statement may have any size")
        beside, large, failed = self.add(3, max_attempts=1)
        claims = self.claim(3)
        texts = [Outcome(output="small"), Outcome(output="'" * (most // 2), log="log"), failure("é\n" * (most // 3))]
        assert finish(self.session, list(zip(claims, texts, strict=True))) == ([], [])
        assert (self.status(beside), self.row(beside).output) == (Task.COMPLETED, "small")
        assert (self.status(large), self.row(large).log) == (Task.COMPLETED, "log")
        assert str(self.row(large).output).endswith(f"[cut: max_allowed_packet of the database is {most} bytes]")
        assert self.status(failed) == Task.FAILED
        assert "é\n\n[cut" in str(self.row(failed).error)[-100:]

    def test_a_failure_that_was_the_last_attempt(self) -> None:
        task, found = self.claimed(max_attempts=1, **SLOTTED)
        assert self.finish(found, outcome=failure("it broke", kind="timeout")) == ([], [])
        row = self.row(task)
        assert (row.status, row.holder, row.attempt, row.error) == (Task.FAILED, None, 1, "it broke")
        assert row.finished_at is not None
        assert row.unique_slot is None
        (attempt,) = self.attempts(task)
        assert (attempt.number, attempt.kind, attempt.error, attempt.worker) == (1, "timeout", "it broke", "contract")
        assert attempt.started_at == row.started_at
        assert attempt.ended_at >= attempt.started_at

    @override_settings(DJANGO_SIMPLE_QUEUE_RETRY_BACKOFF=100)
    @mock.patch.object(backoff.random, "uniform", lambda low, high: high)
    def test_a_failure_with_attempts_left_waits_longer_each_time(self) -> None:
        task, found = self.claimed(max_attempts=3, **SLOTTED)
        for number, longest in ((1, 100), (2, 200)):
            self.finish(found, outcome=failure("again"))
            row = self.row(task)
            assert (row.status, row.holder, row.attempt, row.finished_at) == (Task.SCHEDULED, None, number, None)
            assert row.unique_slot == SLOTTED["unique_slot"]
            wait = (row.run_after - timezone.now()).total_seconds()
            assert longest - 5 < wait < longest + 5
            self.change([task], status=Task.QUEUED, run_after=None)
            (found,) = self.claim(1)
        self.finish(found, outcome=failure("the last"))
        assert self.status(task) == Task.FAILED
        assert [attempt.number for attempt in self.attempts(task)] == [1, 2, 3]

    @override_settings(DJANGO_SIMPLE_QUEUE_MAX_ATTEMPTS=2)
    def test_the_setting_counts_for_tasks_that_do_not_say(self) -> None:
        (silent, a), (once, b) = self.claimed(), self.claimed(max_attempts=1)
        self.finish(a, b, outcome=failure("no"))
        assert (self.status(silent), self.status(once)) == (Task.SCHEDULED, Task.FAILED)

    def test_a_failed_run_that_was_asked_to_cancel_is_cancelled(self) -> None:
        (retried, a), (last, b), (good, c) = (self.claimed(max_attempts=n) for n in (5, 1, 1))
        self.change([retried, last, good], cancel_requested=True)
        self.finish(a, b, outcome=failure("stopped"))
        self.finish(c)
        assert (self.status(retried), self.status(last)) == (Task.CANCELLED, Task.CANCELLED)
        assert self.row(retried).finished_at is not None
        assert self.status(good) == Task.COMPLETED

    def test_a_status_that_a_person_set_meanwhile_stays(self) -> None:
        for outcome in (PLAIN_SUCCESS, Outcome(output="o"), failure("no")):
            for status in BY_HAND:
                task, found = self.claimed(max_attempts=3, run_after=timezone.now() - datetime.timedelta(days=1))
                self.change([task], status=status)
                assert self.finish(found, outcome=outcome).lost == []
                row = self.row(task)
                assert (row.status, row.holder) == (status, None)
                assert row.finished_at is not None
                assert row.run_after < timezone.now()  # no backoff for what a person decided
                self.change([task], status=Task.CANCELLED)

    def test_a_task_requeued_while_it_ran_runs_once_more_from_the_start(self) -> None:
        task, found = self.claimed(max_attempts=2)
        self.change([task], status=Task.QUEUED)
        self.finish(found, outcome=failure("first"))
        (again,) = self.claim(1)
        assert (again.uuid, again.attempt) == (task.pk, 0)

    def test_who_no_longer_holds_changes_nothing(self) -> None:
        for given in ({}, SLOTTED):
            task, found = self.claimed(**given)
            for holder in (found.holder + 1, None):
                self.change([task], holder=holder)
                before = self.values(task)
                for outcome in (PLAIN_SUCCESS, Outcome(output="late"), failure("late")):
                    assert self.finish(found, outcome=outcome) == ([found], [])
                show_output(self.session, found, "late")
                assert self.values(task) == before
            assert self.attempts(task) == []
            self.change([task], unique_slot=None)

    def test_of_a_batch_only_what_was_lost_is_reported(self) -> None:
        tasks = self.add(5)
        claims = self.claim(5)
        self.change(tasks[1:2], holder=7)
        self.change(tasks[2:3], holder=None, status=Task.QUEUED)
        assert self.finish(*claims).lost == claims[1:3]
        assert [self.status(t) for t in tasks] == [2, 1, 0, 2, 2]

    def test_a_task_deleted_while_it_ran_does_not_come_back(self) -> None:
        tasks = self.add(2)
        claims = self.claim(2)
        Task.objects.filter(pk=tasks[0].pk).delete()
        assert self.finish(*claims).lost == claims[:1]
        assert self.finish(claims[0], outcome=failure("late")).lost == claims[:1]
        assert [t.pk for t in Task.objects.all()] == [tasks[1].pk]

    def test_a_locked_row_with_a_key_is_given_up_soon(self) -> None:
        if not self.session.connection.features.has_select_for_update:
            self.skipTest("has_select_for_update")
        task, found = self.claimed(**SLOTTED)
        other = self.new_session()
        with other.transaction():
            other.write(f"UPDATE {Task._meta.db_table} SET args = '' WHERE status = {Task.PROGRESS}")
            begin = timezone.now()
            assert self.finish(found) == ([], [found])
            assert timezone.now() - begin < datetime.timedelta(seconds=4)
        assert self.finish(found) == ([], [])
        assert self.status(task) == Task.COMPLETED

    def test_in_the_callers_transaction_it_is_undone_with_it(self) -> None:
        task, found = self.claimed()
        with transaction.atomic():
            finish(Session(self.alias), [(found, failure("undone"))])
            transaction.set_rollback(True)
        assert (self.status(task), self.attempts(task)) == (Task.PROGRESS, [])
        with transaction.atomic():
            finish(Session(self.alias), [(found, PLAIN_SUCCESS)])
        assert self.status(task) == Task.COMPLETED

    def test_output_is_shown_while_the_task_runs(self) -> None:
        task, found = self.claimed()
        show_output(self.session, found, "so far")
        row: Any = self.row(task)
        assert (row.output, row.status, row.holder) == ("so far", Task.PROGRESS, found.holder)
