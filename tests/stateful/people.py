"""What people do to tasks: enqueue, cancel, retry, and write to the row themselves."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from django_simple_queue.backends import Session
from django_simple_queue.models import Task
from django_simple_queue.queue import control
from django_simple_queue.queue.enqueue import enqueue
from django_simple_queue.states import ENDS
from django_simple_queue.validation import NewTask

from .rows import Row
from .table import Table, by_hand, or_gives_up, picks


class People(Table):
    """Each rule is something that one of them does, without a look at the others."""

    @rule(max_attempts=st.integers(1, 2), key=st.sampled_from([None, None, "a", "b"]), urgent=st.booleans())
    @precondition(lambda self: self.writable() and len(self.rows) < 8)
    @or_gives_up
    def enqueue(self, max_attempts: int, key: str | None, urgent: bool) -> None:
        new = NewTask("stateful.task", "{}", priority=int(urgent), max_attempts=max_attempts, unique_key=key)
        holders = [k for k, row in self.rows.items() if row.keyed and row.key == key]
        found = enqueue(Session(), new)
        for known in holders:
            row = self.rows[known]
            if row.status not in ENDS or row.holder is not None:
                assert found == known
                return
            row.end()
        assert found not in self.rows
        self.rows[found] = Row(max_attempts=max_attempts, key=key, keyed=key is not None)

    @rule(pick=picks)
    @precondition(lambda self: self.writable())
    @or_gives_up
    def cancel(self, pick: int) -> None:
        if key := self.task(pick):
            assert control.cancel(self.keeper, key) is self.rows[key].cancel()

    @rule(pick=picks)
    @precondition(lambda self: self.writable())
    @or_gives_up
    def retry(self, pick: int) -> None:
        if key := self.task(pick):
            row = self.rows[key]
            free = not any(r.keyed and r.key == row.key for r in self.rows.values() if r is not row and row.key)
            assert control.retry(self.keeper, key) is row.retry(key_is_free=free)

    @rule(pick=picks, status=by_hand)
    @precondition(lambda self: self.writable())
    @or_gives_up
    def update(self, pick: int, status: int) -> None:
        if key := self.task(pick):
            Task.objects.filter(pk=key).update(status=status)
            self.rows[key].status = status

    @rule(pick=picks)
    def read(self, pick: int) -> None:
        if key := self.task(pick):
            self.copies = [*self.copies[-3:], Task.objects.get(pk=key)]

    @rule(pick=picks, status=st.none() | by_hand)
    @precondition(lambda self: self.copies and self.writable())
    @or_gives_up
    def save(self, pick: int, status: int | None) -> None:
        """Somebody saves what was read a while ago, perhaps with another status."""
        copy = self.copies.pop(pick % len(self.copies))
        changed = status is not None and status != copy.status
        if changed:
            copy.status = status
        copy.args = f'{{"saved": {pick}}}'
        copy.save()
        if changed:
            self.rows[copy.pk].status = copy.status
