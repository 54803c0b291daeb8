"""The contract is worth something: strategies with one flaw each do not pass it, on any database."""

from __future__ import annotations

import dataclasses
import time
import unittest
from typing import Any

import pytest

from django_simple_queue.backends import ClaimSpec, ClaimStrategy, OwnSession
from django_simple_queue.backends.base import Row
from django_simple_queue.backends.compare_and_swap import CompareAndSwap
from django_simple_queue.testing.contract import StrategyContract

from .cases import DatabaseCase


class Broken(CompareAndSwap):
    """Right but for what a subclass does."""


class LooksAndWritesApart(Broken):
    """No lock, no re-check: whoever writes last has it, and the first believes so too."""

    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        session = self.session
        rows = spec.cut(session.attempt(lambda: session.rows(spec.candidates(session, limit), spec.params)))
        time.sleep(0.005)
        if rows:
            blind = dataclasses.replace(spec, guard="1 = 1")
            session.attempt(lambda: session.write(*blind.update(session, [row[0] for row in rows])))
        return rows


class DoesNotBelieveTheCount(Broken):
    """The write is guarded, but what it did not hit is returned as well."""

    def _write_all(self, spec: ClaimSpec, rows: list[Row]) -> bool:
        time.sleep(0.005)
        self.session.write(*spec.update(self.session, [row[0] for row in rows]))
        return True


class TakesMoreThanTheLimit(Broken):
    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        return super()._take(spec, limit + 1)


class TakesLossesTogether(Broken):
    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        return super()._take(dataclasses.replace(spec, solo=None), limit)


class ForgetsTheOrder(Broken):
    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        return super()._take(spec, limit)[::-1]


class TakesWhateverIsQueued(Broken):
    """Of expired tasks, other queues, dead workers it knows nothing."""

    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        return super()._take(dataclasses.replace(spec, where="1 = 1"), limit)


class CommitsOnItsOwn(Broken):
    """What its caller rolls back stays claimed."""

    def _take(self, spec: ClaimSpec, limit: int) -> list[Row]:
        mine, self.session = self.session, OwnSession(self.session.alias, wait=0.1)
        try:
            return super()._take(spec, limit)
        finally:
            self.session.close()
            self.session = mine


class ReturnsWhatItSawBefore(Broken):
    """The row as it was before the claim wrote it anew."""

    def _as_taken(self, spec: ClaimSpec, keys: list[Any]) -> list[Row]:
        return [(*row[:7], 99, *row[8:]) for row in super()._as_taken(spec, keys)]


BROKEN: list[type[ClaimStrategy]] = Broken.__subclasses__()


def failures_of(strategy: type[ClaimStrategy]) -> list[str]:
    """Names of the contract's tests that it does not pass; the run ends with the first."""
    case = type("Contract", (StrategyContract, DatabaseCase), {"strategy_class": strategy})
    result = unittest.TestResult()
    result.failfast = True
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    assert result.testsRun
    return [str(test) for test, _ in (*result.failures, *result.errors)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("strategy", BROKEN, ids=lambda strategy: strategy.__name__)
def test_it_does_not_pass(strategy: type[ClaimStrategy]) -> None:
    assert failures_of(strategy)


@pytest.mark.django_db(transaction=True)
def test_what_they_are_made_of_passes() -> None:
    assert failures_of(Broken) == []
