"""One clock for what is stored, the database's, in the form in which Django stores times there."""

from __future__ import annotations

import datetime

from django.test import override_settings
from django.utils import timezone

from django_simple_queue.backends import OwnSession, Session, get_strategy
from django_simple_queue.models import Task
from django_simple_queue.queue.claim import Claimer, claim
from django_simple_queue.queue.enqueue import enqueue
from django_simple_queue.queue.finish import finish
from django_simple_queue.queue.upkeep import expire, outlook, promote
from django_simple_queue.queue.workers import alive, register
from django_simple_queue.records import HOLDERS_PER_WORKER, PLAIN_SUCCESS
from django_simple_queue.validation import NewTask

from .cases import DatabaseCase

CLOSE = datetime.timedelta(seconds=10)
HOUR = datetime.timedelta(hours=1)
# An hour off would show: these zones are 12 to 5.5 hours from UTC, and one has a summer time.
PROJECTS = [
    {"USE_TZ": True, "TIME_ZONE": "Asia/Kolkata"},
    {"USE_TZ": True, "TIME_ZONE": "UTC"},
    {"USE_TZ": False, "TIME_ZONE": "Pacific/Auckland"},
    {"USE_TZ": False, "TIME_ZONE": "America/New_York"},
]


class TestClock(DatabaseCase):
    def check(self, using: str) -> None:
        for session in (Session(using), OwnSession(using)):
            try:
                self.check_what_is_read(session)
                self.check_what_is_compared(session)
            finally:
                if isinstance(session, OwnSession):
                    session.close()

    def check_what_is_read(self, session: Session) -> None:
        """The queue writes, Django reads."""
        rows = Task._base_manager.using(session.alias)
        worker_id = register(session, name="clock", host="", pid=0, runs="")
        task_id = enqueue(session, NewTask("x", "{}", run_after=-HOUR, expires=HOUR))
        row = rows.get(pk=task_id)
        assert abs(timezone.now() - HOUR - row.run_after) < CLOSE
        assert abs(timezone.now() + HOUR - row.expires) < CLOSE
        (found,) = claim(get_strategy(session=session), Claimer(worker_id, "c", worker_id * HOLDERS_PER_WORKER), 1)
        assert abs(timezone.now() - rows.get(pk=task_id).started_at) < CLOSE
        finish(session, [(found, PLAIN_SUCCESS)])
        assert abs(timezone.now() - rows.get(pk=task_id).finished_at) < CLOSE
        assert not next(w for w in alive(session, 10) if w.id == worker_id).stale

    def check_what_is_compared(self, session: Session) -> None:
        """Django writes, the queue reads."""
        rows = Task._base_manager.using(session.alias)
        rows.all().delete()
        soon = timezone.now() + datetime.timedelta(minutes=5)
        past = timezone.now() - datetime.timedelta(minutes=5)
        for when in (soon, past):
            rows.create(task="promoted", status=Task.SCHEDULED, run_after=when)
            rows.create(task="expired", queue="other", expires=when)
        assert promote(get_strategy(session=session)) == 1
        assert expire(session) == 1
        wait = outlook(session, (), 1).due_in
        assert wait is not None
        assert 280 < wait < 310
        assert rows.get(status=Task.SCHEDULED).run_after == rows.get(pk=rows.get(run_after=soon).pk).run_after
        assert rows.get(status=Task.CANCELLED).expires < timezone.now()
        rows.all().delete()

    def test_in_whatever_zone_the_project_is(self) -> None:
        for project in PROJECTS:
            with self.subTest(**project), override_settings(**project):
                self.check("default")

    def test_in_whatever_zone_the_alias_is(self) -> None:
        for zone in ("America/New_York", "Asia/Kolkata"):
            project = override_settings(USE_TZ=True, TIME_ZONE="UTC")
            with self.subTest(zone=zone), project, self.second_alias(TIME_ZONE=zone) as using:
                self.check(using)
