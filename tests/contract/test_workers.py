"""Worker rows: register, beat, watch, declare dead, leave."""

from __future__ import annotations

import datetime

from django.utils import timezone

from django_simple_queue.models import Worker
from django_simple_queue.queue.workers import alive, beat, declare_dead, forget, leave, set_idle
from django_simple_queue.records import HOLDERS_PER_WORKER

from .cases import TransitionCase


class TestWorkers(TransitionCase):
    def worker(self, worker_id: int) -> Worker:
        return Worker.objects.get(pk=worker_id)

    def test_ids_are_never_used_again(self) -> None:
        last = self.new_worker()
        Worker.objects.all().delete()
        assert self.new_worker() > last

    def test_a_new_worker_is_alive_by_the_databases_clock(self) -> None:
        row = self.worker(self.worker_id)
        assert (row.state, row.beats, row.idle) == (Worker.ALIVE, 0, False)
        assert abs(timezone.now() - row.beat_at) < datetime.timedelta(seconds=10)

    def test_a_beat_counts(self) -> None:
        Worker.objects.update(beat_at=timezone.now() - datetime.timedelta(hours=1))
        assert beat(self.session, self.worker_id)
        row = self.worker(self.worker_id)
        assert row.beats == 1
        assert timezone.now() - row.beat_at < datetime.timedelta(seconds=10)

    def test_a_dead_or_missing_worker_cannot_beat(self) -> None:
        assert declare_dead(self.session, self.worker_id, 0)
        assert not beat(self.session, self.worker_id)
        assert self.worker(self.worker_id).beats == 0
        assert not beat(self.session, self.worker_id + 1000)

    def test_who_has_beaten_since_is_not_declared_dead(self) -> None:
        beat(self.session, self.worker_id)
        assert not declare_dead(self.session, self.worker_id, 0)
        assert self.worker(self.worker_id).state == Worker.ALIVE
        assert declare_dead(self.session, self.worker_id, 1)
        assert not declare_dead(self.session, self.worker_id, 1)

    def test_who_has_been_silent_is_seen(self) -> None:
        silent = self.new_worker()
        Worker.objects.filter(pk=silent).update(beat_at=timezone.now() - datetime.timedelta(seconds=60), beats=3)
        dead = self.new_worker()
        declare_dead(self.session, dead, 0)
        seen = {w.id: w for w in alive(self.session, 30)}
        assert seen.keys() == {self.worker_id, silent}
        assert (seen[silent].beats, seen[silent].stale, seen[silent].name) == (3, True, "contract")
        assert not seen[self.worker_id].stale

    def test_idle_is_said_and_taken_back(self) -> None:
        for idle in (True, False):
            set_idle(self.session, self.worker_id, idle)
            assert self.worker(self.worker_id).idle is idle

    def test_who_leaves_is_gone(self) -> None:
        leave(self.session, self.worker_id)
        assert not Worker.objects.exists()

    def test_who_leaves_with_something_held_is_kept_until_it_is_not(self) -> None:
        task, _found = self.claimed()
        leave(self.session, self.worker_id)
        assert self.worker(self.worker_id).state == Worker.DEAD
        self.change([task], holder=None)
        forget(self.session, self.worker_id)
        assert not Worker.objects.exists()

    def test_what_others_hold_does_not_keep_a_dead_worker(self) -> None:
        low = self.worker_id * HOLDERS_PER_WORKER
        for holder in (low - 1, low + HOLDERS_PER_WORKER):
            self.add(holder=holder)
        alive_one = self.new_worker()
        declare_dead(self.session, self.worker_id, 0)
        forget(self.session, self.worker_id)
        assert [w.pk for w in Worker.objects.all()] == [alive_one]
