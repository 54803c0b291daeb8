"""claim_rows() and lease() with one flaw each, which the races, the machine or a story have to find out."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from django.db.models import F, Value
from django.utils import timezone

from django_simple_queue.backends.base import ClaimSpec, ClaimStrategy, Fit, Row
from django_simple_queue.backends.compare_and_swap import CompareAndSwap
from django_simple_queue.backends.session import Session
from django_simple_queue.claims import guard
from django_simple_queue.claims import lease as lease_class
from django_simple_queue.models import Lease

leases: Any = sys.modules[lease_class.__module__]  # of the same name as the class
Patch = pytest.MonkeyPatch
Break = Callable[[Patch], None]


# ---- strategies, for the races ----


class BrokenStrategy(ClaimStrategy):
    """Looks, and then writes; both are in one transaction, but for what a subclass forgets."""

    name = "broken"

    @classmethod
    def fit(cls, connection: Any) -> Fit:
        return Fit(True, "it is broken everywhere")

    def look(self, spec: ClaimSpec, limit: int) -> list[Row]:
        session = self.session
        rows = spec.cut(session.attempt(lambda: session.rows(spec.candidates(session, limit), spec.params)))
        time.sleep(0.02)  # rivals look as well
        return rows


class WritesWithoutGuard(BrokenStrategy):
    """Whoever writes last has it, and those before believe so too."""

    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        rows = self.look(spec, limit)
        if rows:
            blind = dataclasses.replace(spec, guard="1 = 1")
            self.session.attempt(lambda: self.session.write(*blind.update(self.session, spec.keys_of(rows))))
        return rows


class SelectsWithoutLock(BrokenStrategy):
    """The write is guarded, but it does not look which rows it hit."""

    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        rows = self.look(spec, limit)
        if rows:
            self.session.attempt(lambda: self.session.write(*spec.update(self.session, spec.keys_of(rows))))
        return rows


class Colliding(CompareAndSwap):
    """Right, and rivals meet each other: nothing but the row count keeps them apart."""

    def _around(self, spec: ClaimSpec) -> AbstractContextManager[None]:
        return nullcontext()

    def _write_all(self, spec: ClaimSpec, rows: list[Row]) -> bool:
        time.sleep(0.02)
        return super()._write_all(spec, rows)


class DoesNotBelieveTheCount(Colliding):
    """A block that came back short counts as ours."""

    def _write_all(self, spec: ClaimSpec, rows: list[Row]) -> bool:
        super()._write_all(spec, rows)
        return True


STRATEGIES = [WritesWithoutGuard, SelectsWithoutLock, DoesNotBelieveTheCount]


# ---- claims, for the machine and its stories ----


def nothing_is_proved(patch: Patch) -> None:
    patch.setattr(guard, "made_false", lambda *args: True)


def what_is_joined_counts_as_guard(patch: Patch) -> None:
    """As in Django's own filter(campaign__active=True).update(): nobody looks there again before the write."""
    right = guard.made_false

    class Everything(set[str]):
        def __and__(self, other: Any) -> Any:
            return {"status"}

    patch.setattr(guard, "columns_read", lambda conditions: Everything())
    patch.setattr(guard, "made_false", lambda conditions, *given: not conditions or right(conditions, *given))


def a_claim_commits_what_was_open(patch: Patch) -> None:
    right = ClaimStrategy.take

    def wrong(self: ClaimStrategy, *args: Any, **given: Any) -> Any:
        rows = right(self, *args, **given)
        if self.session.in_transaction:
            self.session.connection.connection.commit()
        return rows

    patch.setattr(ClaimStrategy, "take", wrong)


def the_order_is_lost(patch: Patch) -> None:
    right = ClaimStrategy.take
    patch.setattr(ClaimStrategy, "take", lambda self, *args, **given: right(self, *args, **given)[::-1])


# ---- leases, for stories ----


def the_row_is_deleted_on_release(patch: Patch) -> None:
    right = lease_class.release

    def wrong(self: lease_class) -> None:
        right(self)
        Lease.objects.filter(name=self.name).delete()

    patch.setattr(lease_class, "release", wrong)


def the_clients_clock_counts(patch: Patch) -> None:
    patch.setattr(leases, "UtcNow", lambda: Value(timezone.now()))


def the_fence_stays(patch: Patch) -> None:
    class Still(F):
        def __add__(self, other: Any) -> Any:
            return self

    patch.setattr(leases, "F", Still)


def a_renewal_does_not_believe_the_count(patch: Patch) -> None:
    right = lease_class._prolong
    patch.setattr(lease_class, "_prolong", lambda self: right(self) or 1)


def only_the_name_tells_whose_it_is(patch: Patch) -> None:
    patch.setattr(lease_class, "_mine", lambda self: self._row())


def a_confirmation_only_looks(patch: Patch) -> None:
    def confirm(self: lease_class) -> None:
        if not self._mine().exists():
            raise self._lost()

    patch.setattr(lease_class, "confirm", confirm)


def the_time_counts_from_when_the_answer_came(patch: Patch) -> None:
    right = lease_class._take

    def wrong(self: lease_class, free: Any) -> bool:
        taken = right(self, free)
        self.deadline = leases.clock() + int(self.seconds * 1e9)
        return taken

    patch.setattr(lease_class, "_take", wrong)


def it_may_be_taken_in_a_transaction(patch: Patch) -> None:
    patch.setattr(Session, "in_callers_transaction", False)
