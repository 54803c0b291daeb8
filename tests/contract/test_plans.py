"""Each statement finds its rows by one index, in order, whatever else the table holds."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from django_simple_queue.backends import OwnSession, Session, get_strategy
from django_simple_queue.backends.plans import PRIMARY, Plan
from django_simple_queue.models import Task
from django_simple_queue.queue import finish, rescue, upkeep, workers
from django_simple_queue.queue.claim import Claimer, claim
from django_simple_queue.queue.control import cancel, retry
from django_simple_queue.records import HOLDERS_PER_WORKER, PLAIN_SUCCESS, Outcome, failure

from .cases import DatabaseCase
from .plans import TABLES, Statement

MANY = 100_000
NOW, DAY = timezone.now(), datetime.timedelta(days=1)
HELD_BY = 77  # a worker that is no more
CLAIM_QUEUE, CLAIM_ANY = {"dsq_claim_queue", PRIMARY}, {"dsq_claim_any", PRIMARY}
CHORES = {"dsq_due", "dsq_expires", "dsq_untidy"}


class Does(NamedTuple):
    """A transition, and the indexes by which it may find its rows."""

    name: str
    work: Callable[[], Any]
    indexes: set[str]
    sorts: bool = False  # or copies what it finds, which is little


def rows(status: int, name: str, **given: Any) -> list[Task]:
    return [Task(task=name, args="{}", status=status, queue=f"q{i % 2}", **given) for i in range(100)]


class TestPlans(DatabaseCase):
    """One test, so that the table is filled once."""

    def setUp(self) -> None:
        super().setUp()
        self.session = OwnSession()
        self.addCleanup(self.session.close)
        self.reader = TABLES[self.session.connection.vendor](self.session)
        self.filler = TABLES[self.session.connection.vendor](Session())
        self.worker_id = workers.register(self.session, name="plans", host="", pid=0, runs="")

    def test_each_statement_reads_by_its_index_alone(self) -> None:
        with transaction.atomic():
            self.fill_with_ends()
            self.fill_with_work()
        self.check("right after the table was filled")
        with transaction.atomic():
            Task.objects.exclude(status=Task.COMPLETED).delete()
        self.filler.analyze()
        with transaction.atomic():
            self.fill_with_work()
        self.check("with statistics from before the backlog")
        self.filler.analyze()
        self.check("with statistics")

    def fill_with_ends(self) -> None:
        self.filler.multiply(rows(Task.COMPLETED, "finished", finished_at=NOW - DAY), MANY)

    def fill_with_work(self) -> None:
        self.filler.multiply(rows(Task.QUEUED, "queued"), MANY)
        self.filler.multiply(rows(Task.SCHEDULED, "later", run_after=NOW + DAY), MANY // 10)
        for some in (
            rows(Task.PROGRESS, "held", holder=HELD_BY * HOLDERS_PER_WORKER),
            rows(Task.SCHEDULED, "due", run_after=NOW - DAY),
            rows(Task.QUEUED, "expired", expires=NOW - DAY),
            rows(Task.QUEUED, "expires later", expires=NOW + DAY),
            rows(Task.FAILED, "untidy"),
        ):
            Task.objects.bulk_create(some)

    def claim(self, limit: int, *queues: str, innocents_only: bool = False) -> list[Any]:
        claimer = Claimer(self.worker_id, "plans", self.worker_id * HOLDERS_PER_WORKER + 1, innocents_only)
        return claim(get_strategy(session=self.session), claimer, limit, queues)

    def finish(self, limit: int, outcome: Outcome = PLAIN_SUCCESS) -> None:
        finish.finish(self.session, [(found, outcome) for found in self.claim(limit, "q0")])

    def transitions(self) -> list[Does]:
        session, strategy = self.session, get_strategy(session=self.session)
        held = Task.objects.filter(task="held")[0]
        return [
            *(Does(f"claim {n} of one queue", lambda n=n: self.claim(n, "q1"), CLAIM_QUEUE) for n in (1, 20, 300)),
            Does("claim of two queues", lambda: self.claim(20, "none", "q1"), CLAIM_QUEUE),
            Does("claim of an empty queue", lambda: self.claim(20, "none"), CLAIM_QUEUE),
            *(Does(f"claim {n} of all queues", lambda n=n: self.claim(n), CLAIM_ANY) for n in (1, 20, 300)),
            Does("claim of innocents", lambda: self.claim(20, innocents_only=True), CLAIM_ANY),
            *(Does(f"finish {n}", lambda n=n: self.finish(n), CLAIM_QUEUE) for n in (1, 20, 300)),
            Does("finish with output", lambda: self.finish(50, Outcome(output="x")), CLAIM_QUEUE),
            Does("finish failures", lambda: self.finish(2, failure("x")), CLAIM_QUEUE),
            Does("release", lambda: finish.release(session, self.claim(20, "q0")), CLAIM_QUEUE),
            Does("release by number", lambda: finish.release_holder(session, held.holder), {"dsq_held"}, True),
            Does("promote", lambda: upkeep.promote(strategy), {"dsq_due", PRIMARY}),
            Does("outlook", lambda: upkeep.outlook(session, (), 20), {"dsq_claim_any", "dsq_due"}),
            Does("outlook of queues", lambda: upkeep.outlook(session, ("none", "q1"), 200), CLAIM_QUEUE | {"dsq_due"}),
            Does("rescue", lambda: rescue.rescue_worker(strategy, HELD_BY, "why"), {"dsq_held", PRIMARY}, True),
            Does("who holds", lambda: rescue.held_numbers(session), {"dsq_held"}, True),
            Does("dead workers", lambda: workers.leave(session, self.worker_id), {"dsq_held"}),
            Does("expire", lambda: upkeep.expire(session), {"dsq_expires", PRIMARY}, True),
            Does("tidy", lambda: upkeep.tidy(session), {"dsq_untidy", PRIMARY}),
            Does("catch up", lambda: upkeep.catch_up(strategy), CHORES | {PRIMARY}, True),
            Does("cancel", lambda: cancel(session, held.pk), {PRIMARY}),
            Does("retry", lambda: retry(session, held.pk), {PRIMARY}),
        ]

    def check(self, when: str) -> None:
        wrong = []
        for transition in self.transitions():
            with self.reader.statements() as sent:
                transition.work()
            assert sent, transition.name
            for statement in dict.fromkeys(s.sql for s in sent):
                given = next(s for s in sent if s.sql == statement)
                plan = self.reader.explain(given)
                if fault := self.fault(plan, transition):
                    wrong.append(f"{when}, {transition.name}: {fault}\n{shown(given)}\n{plan.text}\n")
        assert not wrong, "\n".join(wrong)

    def fault(self, plan: Plan, transition: Does) -> str | None:
        if plan.sorts and not transition.sorts:
            return "sorts"
        for access in plan.accesses:
            if access.whole or access.by not in transition.indexes:
                return f"reads by {access.by}" + (", all of it" if access.whole else "")
        return None


def shown(statement: Statement) -> str:
    return statement.sql[:600] + ("..." if len(statement.sql) > 600 else "")
