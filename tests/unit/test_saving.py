"""Task.save(): a copy that somebody read earlier undoes nothing that happened since."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction

from django_simple_queue.models import Task

pytestmark = pytest.mark.django_db


def make(**values: object) -> Task:
    return Task.objects.create(task="tests.jobs.tasks.noop", args="{}", **values)


def claimed_since(task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(status=Task.PROGRESS, holder=7, attempt=1, losses=1, worker="w")


def test_a_stale_copy_saved_unchanged_writes_nothing() -> None:
    copy = Task.objects.get(pk=make().pk)
    claimed_since(copy)
    copy.save()
    task = Task.objects.get(pk=copy.pk)
    assert (task.status, task.holder, task.attempt, task.losses, task.worker) == (Task.PROGRESS, 7, 1, 1, "w")


def test_a_stale_copy_writes_only_what_was_changed_on_it() -> None:
    copy = Task.objects.get(pk=make().pk)
    claimed_since(copy)
    copy.output, copy.holder, copy.attempt, copy.worker = "mine", None, 0, "me"
    copy.save()
    task = Task.objects.get(pk=copy.pk)
    assert (task.output, task.status, task.holder, task.attempt, task.worker) == ("mine", Task.PROGRESS, 7, 1, "w")


@pytest.mark.parametrize("update_fields", [None, ["status", "holder", "attempt"]])
def test_putting_a_task_back_queues_it_at_the_end(update_fields: list[str] | None) -> None:
    first = make(status=Task.FAILED)
    last = make()
    copy = Task.objects.get(pk=first.pk)
    copy.status, copy.holder = Task.QUEUED, 5
    copy.save(update_fields=update_fields)
    task = Task.objects.get(pk=first.pk)
    assert (task.status, task.holder, task.seq > last.seq) == (Task.QUEUED, None, True)


def test_nobody_but_a_claim_says_that_a_task_is_in_progress() -> None:
    copy = Task.objects.get(pk=make().pk)
    copy.status = Task.PROGRESS
    copy.save()
    assert Task.objects.get(pk=copy.pk).status == Task.QUEUED


def test_a_refreshed_copy_knows_what_it_was_refreshed_to() -> None:
    copy = Task.objects.get(pk=make().pk)
    claimed_since(copy)
    copy.refresh_from_db()
    copy.log = "noted"
    copy.save()
    task = Task.objects.get(pk=copy.pk)
    assert (task.log, task.status, task.holder) == ("noted", Task.PROGRESS, 7)


def test_deferred_fields_are_left_alone() -> None:
    pk = make(output="kept").pk
    copy = Task.objects.only("id", "status").get(pk=pk)
    copy.status = Task.CANCELLED
    copy.save()
    task = Task.objects.get(pk=pk)
    assert (task.status, task.output) == (Task.CANCELLED, "kept")


def test_what_update_fields_left_out_is_written_by_the_next_save() -> None:
    copy = Task.objects.get(pk=make().pk)
    copy.output, copy.log = "first", "second"
    copy.save(update_fields=["output"])
    assert Task.objects.get(pk=copy.pk).log is None
    copy.save()
    task = Task.objects.get(pk=copy.pk)
    assert (task.output, task.log) == ("first", "second")


def test_refreshing_some_fields_forgets_no_change_of_others() -> None:
    copy = Task.objects.get(pk=make().pk)
    copy.log = "noted"
    copy.refresh_from_db(fields=["status"])
    copy.save()
    assert Task.objects.get(pk=copy.pk).log == "noted"


def test_what_save_does_not_write_is_not_taken_for_written() -> None:
    copy = Task.objects.get(pk=make(status=Task.FAILED).pk)
    copy.status = Task.PROGRESS
    copy.save()
    copy.status = Task.FAILED
    Task.objects.filter(pk=copy.pk).update(status=Task.QUEUED)
    copy.save()
    assert Task.objects.get(pk=copy.pk).status == Task.QUEUED


def test_a_place_in_the_queue_is_renewed_only_by_a_save_of_the_status() -> None:
    copy = Task.objects.get(pk=make(status=Task.FAILED).pk)
    seq = copy.seq
    copy.status, copy.output = Task.QUEUED, "noted"
    copy.save(update_fields=["output"])
    task = Task.objects.get(pk=copy.pk)
    assert (task.status, task.output, task.seq) == (Task.FAILED, "noted", seq)


def test_reading_a_deferred_field_forgets_no_change() -> None:
    copy = Task.objects.only("id", "status").get(pk=make(output="kept").pk)
    copy.status = Task.CANCELLED
    assert copy.output == "kept"
    copy.save()
    assert Task.objects.get(pk=copy.pk).status == Task.CANCELLED


def test_a_new_instance_with_an_old_id_writes_nothing_that_a_holder_owns() -> None:
    old = make()
    claimed_since(old)
    Task(pk=old.pk, created=old.created, task=old.task, status=Task.PROGRESS, args="[]").save(force_update=True)
    task = Task.objects.get(pk=old.pk)
    assert (task.args, task.holder, task.attempt, task.losses) == ("[]", 7, 1, 1)


def test_a_copy_of_a_deleted_row_does_not_bring_it_back() -> None:
    copy = Task.objects.get(pk=make().pk)
    Task.objects.all().delete()
    copy.status = Task.CANCELLED
    with pytest.raises(DatabaseError), transaction.atomic():
        copy.save()
    assert not Task.objects.exists()


def test_the_same_instance_can_be_saved_again_and_again() -> None:
    task = make()
    for text in ("one", "two", "one"):
        task.output = text
        task.save()
        assert Task.objects.get(pk=task.pk).output == text
