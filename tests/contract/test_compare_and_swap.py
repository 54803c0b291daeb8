"""What changes between the look and the swap, which no lock holds off."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from typing import Any

from django.utils import timezone

from django_simple_queue.backends.compare_and_swap import CompareAndSwap
from django_simple_queue.backends.session import Session
from django_simple_queue.models import Task
from django_simple_queue.testing.contract import ClaimTests

from .cases import DatabaseCase


class Interrupted(CompareAndSwap):
    """Lets something happen before its first write."""

    def __init__(self, session: Session, happens: Callable[[], None]) -> None:
        super().__init__(session)
        self.happens = happens

    def _swap(self, *args: Any) -> Any:
        happens, self.happens = self.happens, lambda: None
        happens()
        return super()._swap(*args)


class TestBetweenLookAndSwap(ClaimTests, DatabaseCase):
    strategy_class = CompareAndSwap

    def strategy(self, session: Session) -> CompareAndSwap:
        return Interrupted(session, lambda: self.happens())

    def test_what_a_rival_took_is_left_to_it(self) -> None:
        a, b, c = self.add(3)
        self.happens = lambda: self.change([b], status=Task.PROGRESS, holder=7)
        self.assert_claimed(self.claim(3), [a, c])
        assert self.row(b).holder == 7

    def test_what_changed_is_returned_as_it_is_now(self) -> None:
        (task,) = self.add()
        self.happens = lambda: self.change([task], attempt=2, args='{"a": 2}')
        (found,) = self.claim(1)
        assert (found.attempt, found.args) == (2, '{"a": 2}')

    def test_a_loss_meanwhile_takes_the_task_out_of_the_batch(self) -> None:
        a, b, c = self.add(3)
        self.happens = lambda: self.change([b], losses=1)
        self.assert_claimed(self.claim(3), [a, c])
        self.happens = lambda: None
        self.assert_claimed(self.claim(3), [b])

    def test_a_task_that_comes_due_meanwhile_is_either_claimed_or_nobodys(self) -> None:
        (task,) = self.add(run_after=timezone.now() + datetime.timedelta(milliseconds=50))
        self.happens = lambda: time.sleep(0.1)
        found = self.claim(1)
        assert (self.row(task).holder is None) == (found == [])

    def test_a_rival_makes_it_start_further_on_until_it_meets_none(self) -> None:
        tasks = self.add(12)
        strategy = Interrupted(self.session, lambda: self.change(tasks[:2], status=Task.PROGRESS, holder=7))
        self.strategy = lambda session: strategy  # type: ignore[method-assign]
        assert self.claim(2) == []
        assert strategy.crowded
        assert len(self.claim(2)) == 2
        assert not strategy.crowded
        assert len(self.claim_all(2)) == 8
