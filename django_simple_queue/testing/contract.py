"""What every claim strategy must do, as tests that the author of another one can run.

    class TestMyStrategy(StrategyContract, TransactionTestCase):
        strategy_class = MyStrategy

The tests commit what they write and use several connections: a TestCase, whose transaction nobody else sees,
will not do.
"""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from unittest import SkipTest

from django.db import DEFAULT_DB_ALIAS, transaction
from django.utils import timezone

from ..backends import ClaimStrategy, OwnSession, Session
from ..models import Task, Worker
from ..queue import workers
from ..queue.claim import Claimer, claim
from ..records import HOLDERS_PER_WORKER, Claim

if TYPE_CHECKING:
    from unittest import TestCase as _Case
else:
    _Case = object

T = TypeVar("T")
HOUR = datetime.timedelta(hours=1)


class ClaimTests(_Case):
    """The tools: sessions of our own, rows, claims. Subclasses say which strategy is tested."""

    strategy_class: ClassVar[type[ClaimStrategy]]
    alias: ClassVar[str] = DEFAULT_DB_ALIAS

    def setUp(self) -> None:
        super().setUp()
        self.counter = itertools.count(1)
        self.session = self.new_session()
        fit = self.strategy_class.fit(self.session.connection)
        if not fit.ok:
            raise SkipTest(fit.why)
        self.worker_id = self.new_worker()

    def strategy(self, session: Session) -> ClaimStrategy:
        return self.strategy_class(session)

    def new_session(self) -> OwnSession:
        session = OwnSession(self.alias)
        self.addCleanup(session.close)
        return session

    def new_worker(self) -> int:
        return workers.register(self.session, name="contract", host="here", pid=1, runs="")

    def add(self, count: int = 1, **given: Any) -> list[Task]:
        """Committed rows, in order of arrival."""
        made = [Task(task="contract.task", args='{"a": 1}', **given) for _ in range(count)]
        return Task._base_manager.using(self.alias).bulk_create(made)

    def row(self, task: Task) -> Task:
        return Task._base_manager.using(self.alias).get(pk=task.pk)

    def change(self, tasks: Iterable[Task], **values: Any) -> None:
        Task._base_manager.using(self.alias).filter(pk__in=[task.pk for task in tasks]).update(**values)

    def claim(self, limit: int, *queues: str, session: Session | None = None, **claimer: Any) -> list[Claim]:
        worker_id = claimer.pop("worker_id", self.worker_id)
        number = worker_id * HOLDERS_PER_WORKER + next(self.counter)
        strategy = self.strategy(session or self.session)
        return claim(strategy, Claimer(worker_id, "contract", number, **claimer), limit, queues)

    def claim_all(self, limit: int = 10, **given: Any) -> list[Claim]:
        """Claim until nothing is left; a strategy may come back short, but not twice for nothing."""
        return list(drain(lambda: self.claim(limit, **given)))

    def assert_claimed(self, claims: Sequence[Claim], tasks: Sequence[Task]) -> None:
        self.assertEqual([c.uuid for c in claims], [task.pk for task in tasks])


def drain(claim_some: Callable[[], list[T]]) -> Iterable[T]:
    empty = 0
    while empty < 2:
        found = claim_some()
        empty = 0 if found else empty + 1
        yield from found


class WhatIsClaimed(ClaimTests):
    """Which rows, in which order, and what is written."""

    def test_the_claim_and_the_row_agree(self) -> None:
        (task,) = self.add(queue="q", rank=-3, attempt=1, max_attempts=5, timeout=2.5, cancel_requested=True)
        (found,) = self.claim(5)
        row = self.row(task)
        self.assertEqual((row.status, row.holder, row.worker), (Task.PROGRESS, found.holder, "contract"))
        self.assertIsNotNone(row.started_at)
        self.assertFalse(row.cancel_requested)
        self.assertEqual(
            found,
            Claim(found.id, task.task, task.args, "q", -3, task.seq, 1, 0, 5, 2.5, slotted=False, holder=found.holder),
        )
        self.assertEqual(found.uuid, task.pk)

    def test_higher_priority_first_then_order_of_arrival(self) -> None:
        a, b, c = self.add(3)
        (urgent,) = self.add(rank=-10)
        (idle,) = self.add(rank=10)
        self.assert_claimed(self.claim(10), [urgent, a, b, c, idle])

    def test_queues_in_the_order_given_whatever_the_priority(self) -> None:
        (slow,) = self.add(queue="slow", rank=-10)
        first, second = self.add(2, queue="fast")
        self.add(queue="other")
        self.assert_claimed(self.claim(10, "fast", "empty", "slow"), [first, second, slow])

    def test_all_queues_if_none_is_named(self) -> None:
        (a,) = self.add(queue="a")
        (b,) = self.add(queue="b", rank=-1)
        self.assert_claimed(self.claim(10), [b, a])

    def test_no_more_than_the_limit(self) -> None:
        tasks = self.add(5, queue="a") + self.add(5, queue="b")
        self.assert_claimed(self.claim(7, "a", "b"), tasks[:7])
        self.assert_claimed(self.claim(7, "a", "b"), tasks[7:])
        self.assertEqual(self.claim(7, "a", "b"), [])

    def test_only_what_is_queued_and_held_by_nobody(self) -> None:
        for status, _label in Task.STATUS_CHOICES:
            self.add(status=status, holder=7)
            if status != Task.QUEUED:
                self.add(status=status)
        self.assertEqual(self.claim(100), [])

    def test_what_is_claimed_is_not_claimed_again(self) -> None:
        self.add(3)
        self.assertEqual(len(self.claim(3)), 3)
        self.assertEqual(self.claim(3), [])

    def test_a_task_with_a_loss_comes_alone(self) -> None:
        a, b = self.add(2)
        (killer,) = self.add(losses=1)
        (d,) = self.add()
        self.assert_claimed(self.claim(10), [a, b])
        self.assert_claimed(self.claim(10), [killer])
        self.assert_claimed(self.claim(10), [d])

    def test_a_task_with_a_loss_is_not_added_to_what_another_queue_gave(self) -> None:
        (a,) = self.add(queue="a")
        (killer,) = self.add(queue="b", losses=1)
        (c,) = self.add(queue="b")
        self.assert_claimed(self.claim(10, "a", "b"), [a, c])
        self.assert_claimed(self.claim(10, "a", "b"), [killer])

    def test_innocents_only_passes_over_losses(self) -> None:
        self.add(losses=1)
        (innocent,) = self.add()
        self.assert_claimed(self.claim(10, innocents_only=True), [innocent])

    def test_what_has_expired_is_not_claimed(self) -> None:
        self.add(expires=timezone.now() - HOUR)
        (fresh,) = self.add(expires=timezone.now() + HOUR)
        self.assert_claimed(self.claim(10), [fresh])

    def test_what_is_not_due_is_set_aside_and_the_rest_found(self) -> None:
        early = self.add(3, run_after=timezone.now() + HOUR)
        (due,) = self.add(run_after=timezone.now() - HOUR)
        self.assert_claimed(self.claim(2), [due])
        for task in early:
            row = self.row(task)
            self.assertEqual((row.status, row.holder, row.started_at), (Task.SCHEDULED, None, None))

    def test_what_was_put_back_starts_anew(self) -> None:
        (again,) = self.add(attempt=2, losses=2, output="o", error="e", log="l", finished_at=timezone.now())
        (found,) = self.claim(1)
        self.assertEqual((found.attempt, found.losses), (0, 0))
        row = self.row(again)
        self.assertEqual((row.attempt, row.losses, row.output, row.error, row.log), (0, 0, None, None, None))
        self.assertIsNone(row.finished_at)

    def test_a_task_put_back_is_no_longer_alone(self) -> None:
        tasks = [*self.add(losses=2, finished_at=timezone.now()), *self.add()]
        self.assert_claimed(self.claim(10), tasks)

    def test_a_retry_keeps_what_it_counted(self) -> None:
        (task,) = self.add(attempt=2, error="of the last run")
        self.assertEqual(self.claim(1)[0].attempt, 2)
        self.assertEqual(self.row(task).error, "of the last run")

    def test_a_worker_that_was_declared_dead_gets_nothing(self) -> None:
        self.add()
        Worker._base_manager.using(self.alias).filter(pk=self.worker_id).update(state=Worker.DEAD)
        self.assertEqual(self.claim(1), [])
        self.assertEqual(self.claim(1, worker_id=self.worker_id + 1000), [])

    def test_one_task_by_its_key(self) -> None:
        _other, task = self.add(2)
        key = Task._meta.pk.get_db_prep_value(task.pk, self.session.connection)
        self.assert_claimed(self.claim(5, only=key), [task])
        self.assertEqual(self.claim(5, only=key), [])


class WhoElseClaims(ClaimTests):
    """Several sessions at once, and claims that do not come to their end."""

    # Whether rivals of a claim that is not yet committed wait for it; None: not said.
    rivals_wait: ClassVar[bool | None] = None

    def test_rivals_never_get_the_rows_of_an_open_claim(self) -> None:
        self.add(6)
        mine, other = self.new_session(), self.new_session()
        with futures.ThreadPoolExecutor(1) as pool:
            with mine.transaction():
                held = self.claim(3, session=mine)
                rival = pool.submit(self.claim, 3, session=other)
                ended = bool(futures.wait([rival], timeout=5 if self.rivals_wait is False else 0.3).done)
                if self.rivals_wait is not None:
                    self.assertEqual(ended, not self.rivals_wait)
            taken = rival.result(timeout=20)
        rest = self.claim_all(session=other)
        ids = [c.uuid for c in (*held, *taken, *rest)]
        self.assertEqual((len(held), len(ids), len(set(ids))), (3, 6, 6))

    def test_a_rollback_gives_the_rows_back(self) -> None:
        tasks = self.add(3)
        mine = self.new_session()
        with self.assertRaises(ZeroDivisionError), mine.transaction():
            self.assertEqual(len(self.claim(2, session=mine)), 2)
            raise ZeroDivisionError
        self.assert_claimed(self.claim(3), tasks)

    def test_a_connection_that_breaks_gives_the_rows_back(self) -> None:
        tasks = self.add(3)
        mine = self.new_session()
        mine.write(mine.dialect.begin)
        mine._open = True
        self.assertEqual(len(self.claim(2, session=mine)), 2)
        mine.close()
        # The server gives them back once it has noticed; until then a rival may take what was not locked.
        end = time.monotonic() + 10
        found = self.claim(3)
        while len(found) < 3 and time.monotonic() < end:
            time.sleep(0.01)
            found += self.claim(3)
        self.assertCountEqual([claim.uuid for claim in found], [task.pk for task in tasks])

    def test_a_claim_in_the_callers_transaction_is_undone_with_it(self) -> None:
        tasks = self.add(3)
        caller = Session(self.alias)
        with self.assertRaises(ZeroDivisionError), transaction.atomic(using=self.alias):
            self.assertEqual(len(self.claim(2, session=caller)), 2)
            raise ZeroDivisionError
        self.assert_claimed(self.claim(3), tasks)

    def test_a_claim_in_the_callers_transaction_stays_with_it(self) -> None:
        a, b, c = self.add(3)
        with transaction.atomic(using=self.alias):
            self.assert_claimed(self.claim(2, session=Session(self.alias)), [a, b])
        self.assert_claimed(self.claim(3), [c])

    def test_a_claim_on_the_callers_connection_commits_by_itself(self) -> None:
        a, b, c = self.add(3)
        self.assert_claimed(self.claim(2, session=Session(self.alias)), [a, b])
        self.assert_claimed(self.claim(3), [c])

    def test_many_at_once_share_no_row_and_leave_none(self) -> None:
        self.add(90, losses=0)
        sessions = [self.new_session() for _ in range(4)]
        with futures.ThreadPoolExecutor(len(sessions)) as pool:
            found = pool.map(lambda session: self.claim_all(4, session=session), sessions)
            ids = [claim.uuid for claims in found for claim in claims]
        ids += [claim.uuid for claim in self.claim_all()]
        self.assertEqual((len(ids), len(set(ids))), (90, 90))


class StrategyContract(WhatIsClaimed, WhoElseClaims):
    """All of it."""
