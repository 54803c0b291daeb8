"""What people do to tasks: enqueue, cancel, retry, delete, and write to the row themselves."""

from __future__ import annotations

import datetime
import functools
from typing import Any, NamedTuple

from django.db import DatabaseError
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from django_simple_queue.backends import Session
from django_simple_queue.models import Task
from django_simple_queue.queue import control
from django_simple_queue.queue.by_hand import add_by_hand, enqueue_again
from django_simple_queue.queue.enqueue import enqueue
from django_simple_queue.states import CANCELLED, COMPLETED, FAILED, PROGRESS, QUEUED, SCHEDULED
from django_simple_queue.validation import NewTask

from .actors import is_busy
from .rows import Row
from .table import DAY, Table, or_gives_up, picks

MOST_ROWS = 8
AT_ANY_TIME = st.sampled_from([None, None, None, -DAY, DAY])
STATUSES = (QUEUED, PROGRESS, COMPLETED, FAILED, CANCELLED, SCHEDULED)


class Edit(NamedTuple):
    """A column that somebody writes: a value or a time from now, and what the model calls it."""

    column: str
    value: int | datetime.timedelta
    changes: dict[str, int | bool]


STATUS = [Edit("status", status, {"status": status}) for status in STATUSES]
NOT_YET = Edit("run_after", DAY, {"ahead": True})
DUE = Edit("run_after", -DAY, {"ahead": False})
EXPIRED = Edit("expires", -DAY, {"expired": True})
FRESH = Edit("expires", DAY, {"expired": False})
ADDED: list[tuple[Any, ...]] = [
    ("create",),
    ("create", True),
    ("add_record", FAILED, "a"),
    ("insert_as_0_1_does", QUEUED),
    ("insert_as_0_1_does", PROGRESS),
]
edits = st.sampled_from([*STATUS, STATUS[QUEUED], NOT_YET, DUE, EXPIRED, FRESH])


@functools.cache
def old_task() -> Any:
    """The model of 0.1.x: it knows no column of ours."""
    state = MigrationLoader(None).project_state(
        [("django_simple_queue", "0002_task_error_task_log_task_worker_pid")],
    )
    return state.apps.get_model("django_simple_queue", "Task")


class People(Table):
    """Each rule is something that one of them does, without a look at the others."""

    def has_room(self) -> bool:
        return self.writable() and len(self.rows) < MOST_ROWS

    def has_rows(self) -> bool:
        return self.writable() and bool(self.rows)

    @initialize(count=st.integers(0, 3))
    def there_is_work(self, count: int) -> None:
        for _ in range(count):
            self.enqueue(max_attempts=2)

    @rule(
        max_attempts=st.integers(1, 2),
        key=st.sampled_from([None, None, "a", "b"]),
        urgent=st.booleans(),
        run_after=AT_ANY_TIME,
        expires=AT_ANY_TIME,
    )
    @precondition(has_room)
    @or_gives_up
    def enqueue(
        self,
        max_attempts: int = 1,
        key: str | None = None,
        urgent: bool = False,
        run_after: datetime.timedelta | None = None,
        expires: datetime.timedelta | None = None,
    ) -> None:
        new = NewTask("stateful.task", "{}", "default", int(urgent), run_after, max_attempts, None, key, expires)
        with_key = [k for k, row in self.rows.items() if row.keyed and row.key == key]
        found = enqueue(Session(), new)
        for known in with_key:
            if not self.rows[known].ended:
                assert found == known
                return
            self.rows[known].free_slot()
        assert found not in self.rows
        ahead = run_after == DAY
        self.rows[found] = Row(
            status=SCHEDULED if ahead else QUEUED,
            max_attempts=max_attempts,
            key=key,
            keyed=key is not None,
            rank=-int(urgent),
            place=next(self.places),
            ahead=ahead,
            expired=expires == -DAY,
        )

    @rule(how=st.sampled_from(ADDED))
    @precondition(has_room)
    def add(self, how: tuple[Any, ...]) -> None:
        self.do(*how)

    @or_gives_up
    def create(self, not_yet: bool = False) -> None:
        """By hand, as a QUEUED row; nobody looks whether it is due."""
        task = Task.objects.create(
            task="stateful.task", args='{"by": "hand"}', run_after=timezone.now() + DAY if not_yet else None
        )
        self.rows[task.pk] = Row(place=next(self.places), ahead=not_yet)

    @or_gives_up
    def add_record(self, status: int, key: str | None = None) -> None:
        """In the admin, with an end as its status: it never runs."""
        found = add_by_hand(Session(), NewTask("stateful.task", "{}", unique_key=key), status=status, output="by hand")
        self.rows[found] = Row(status=status, place=next(self.places), key=key, done=True, output="by hand")

    @or_gives_up
    def insert_as_0_1_does(self, status: int = QUEUED) -> None:
        """Code or a worker of 0.1.x beside this version: it writes its own columns only."""
        task = old_task().objects.create(task="stateful.task", args="{}", status=status)
        self.rows[task.pk] = Row(status=status)

    @rule(pick=picks)
    @precondition(has_rows)
    @or_gives_up
    def cancel(self, pick: int = 0) -> None:
        if key := self.task(pick):
            assert control.cancel(self.keeper, key) is self.rows[key].cancel()

    @rule(pick=picks)
    @precondition(has_rows)
    @or_gives_up
    def retry(self, pick: int = 0) -> None:
        if key := self.task(pick):
            row = self.rows[key]
            free = not any(r.keyed and r.key == row.key for r in self.rows.values() if r is not row and row.key)
            done = control.retry(self.keeper, key)
            assert done is row.retry(next(self.places), key_is_free=free)

    @rule(pick=picks, edit=edits | st.none())
    @precondition(has_rows)
    def edit(self, pick: int, edit: Edit | None) -> None:
        if edit:
            self.update(edit, pick)
        else:
            self.delete(pick)

    @or_gives_up
    def update(self, edit: Edit, pick: int = 0) -> None:
        if key := self.task(pick):
            value = timezone.now() + edit.value if isinstance(edit.value, datetime.timedelta) else edit.value
            Task.objects.filter(pk=key).update(**{edit.column: value})
            self.rows[key].write(edit.changes)

    @rule(some=st.lists(picks, min_size=1, max_size=3))
    @precondition(has_rows)
    @or_gives_up
    def enqueue_again(self, some: list[int]) -> None:
        """The admin's action."""
        keys = {key for pick in some if (key := self.task(pick))}
        assert enqueue_again(Task.objects.filter(pk__in=keys)) == len(keys)
        for key in keys:
            self.rows[key].status = QUEUED

    @or_gives_up
    def delete(self, pick: int = 0) -> None:
        """Whoever holds the task goes on, and nothing that it does brings the row back."""
        if key := self.task(pick):
            Task.objects.filter(pk=key).delete()
            del self.rows[key]

    @rule(pick=picks)
    @precondition(lambda self: self.rows and len(self.copies) < 3)
    def read(self, pick: int = 0) -> None:
        if key := self.task(pick):
            self.copies.append(Task.objects.get(pk=key))

    @rule(pick=picks, status=st.none() | st.sampled_from(STATUSES))
    @precondition(lambda self: self.copies and self.writable())
    @or_gives_up
    def save(self, pick: int = 0, status: int | None = None) -> None:
        """Somebody saves what was read a while ago, perhaps with another status."""
        if self.would_wait(pick):
            return
        copy = self.copies.pop(pick % len(self.copies))
        before = copy.status
        if status is not None:
            copy.status = status
        copy.args = f'{{"saved": {pick}}}'
        gone = copy.pk not in self.rows
        try:
            copy.save()
        except DatabaseError as error:
            if gone and not is_busy(error):
                return
            raise
        assert not gone, "a deleted task came back"
        if copy.status not in (before, PROGRESS):
            self.rows[copy.pk].status = copy.status
            if copy.status == QUEUED:
                self.rows[copy.pk].place = next(self.places)
