"""What finds out about mistakes is worth something: broken claims and leases do not survive, on any database."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import mock

import pytest
from django.db import Error, connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from django_simple_queue.claims import DbNow, LeaseHeld, LeaseLost, lease
from django_simple_queue.clock import clock
from django_simple_queue.models import Lease

from . import broken
from .broken import Break
from .case import ClaimsCase
from .machine import ClaimMachine, on_stage
from .models import Target
from .racing import Race, run

RIVAL = "rival"
ENOUGH = settings(
    max_examples=300,
    stateful_step_count=30,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("strategy", broken.STRATEGIES, ids=lambda strategy: strategy.__name__)
def test_a_broken_strategy_loses_its_race(strategy: type) -> None:
    name = f"{broken.__name__}.{strategy.__name__}"
    assert run(Race(400, 25, (name,)), connection.settings_dict).wrong


@pytest.mark.django_db(transaction=True)
def test_what_they_are_made_of_does_not() -> None:
    name = f"{broken.__name__}.{broken.Colliding.__name__}"
    assert run(Race(400, 25, (name,)), connection.settings_dict).wrong == []


# ---- stories: what random steps come to too seldom, or what takes time ----


def new(machine: ClaimMachine) -> None:
    machine.add(model=Target, priority=0, active=True, lines=False)


def claimed_rows_stay_in_the_filter(machine: ClaimMachine) -> None:
    new(machine)
    machine.claim(who=0, name="stays inside", limit=1, hold=False)


def the_filter_reads_only_what_it_joins(machine: ClaimMachine) -> None:
    new(machine)
    machine.claim(who=0, name="only the join decides", limit=1, hold=False)


RANDOM: list[Break] = [broken.the_order_is_lost]


def a_claim_is_rolled_back(machine: ClaimMachine) -> None:
    new(machine)
    machine.claim(who=0, name="status", limit=1, hold=True)
    machine.end(who=0, end="roll back")


MACHINE_STORIES: list[tuple[Break, Callable[[ClaimMachine], None]]] = [
    (broken.nothing_is_proved, claimed_rows_stay_in_the_filter),
    (broken.what_is_joined_counts_as_guard, the_filter_reads_only_what_it_joins),
    (broken.a_claim_commits_what_was_open, a_claim_is_rolled_back),
]


def three_after_each_other(case: ClaimsCase) -> None:
    fences = []
    for _ in range(3):
        with lease("a", 30) as held:
            fences.append(held.fence)
    assert fences == sorted(set(fences))


def a_clock_is_an_hour_ahead(case: ClaimsCase) -> None:
    with lease("a", 30):
        ahead = datetime.now(timezone.utc) + timedelta(hours=1)
        with mock.patch("django.utils.timezone.now", return_value=ahead):
            assert is_refused(LeaseHeld, lease("a", 30).acquire)


def another_has_taken_it_meanwhile(case: ClaimsCase) -> None:
    late = lease("a", 30, renew=False).acquire()
    Lease.objects.update(expires_at=DbNow() - timedelta(seconds=1))
    with lease("a", 30):
        assert is_refused(LeaseLost, late.renew)
        with transaction.atomic():
            assert is_refused(LeaseLost, late.confirm)
        assert is_refused(LeaseLost, late.release)
        assert is_refused(LeaseLost, late.check)


def another_comes_while_it_is_confirmed(case: ClaimsCase) -> None:
    with case.aliases(RIVAL), lease("a", 30, renew=False) as held, transaction.atomic():
        held.confirm()
        assert is_refused(Error, lambda: Lease.objects.using(RIVAL).update(owner="x", fence=9))


def the_database_is_slow(case: ClaimsCase) -> None:
    def slow(execute: Any, *given: Any) -> Any:
        sent.append(clock())
        done = execute(*given)
        time.sleep(0.05)
        return done

    sent: list[int] = []
    held = lease("a", 30, renew=False)
    with connection.execute_wrapper(slow):
        held.acquire()
    assert held.deadline <= sent[-1] + 30e9
    held.release()


def a_transaction_is_open(case: ClaimsCase) -> None:
    with transaction.atomic():
        assert is_refused(RuntimeError, lease("a", 30).acquire)


def is_refused(error: type[Exception], work: Callable[[], Any]) -> bool:
    try:
        work()
    except error:
        return True
    return False


LEASE_STORIES: list[tuple[Break, Callable[[ClaimsCase], None]]] = [
    (broken.the_row_is_deleted_on_release, three_after_each_other),
    (broken.the_fence_stays, three_after_each_other),
    (broken.the_clients_clock_counts, a_clock_is_an_hour_ahead),
    (broken.a_renewal_does_not_believe_the_count, another_has_taken_it_meanwhile),
    (broken.only_the_name_tells_whose_it_is, another_has_taken_it_meanwhile),
    (broken.a_confirmation_only_looks, another_comes_while_it_is_confirmed),
    (broken.the_time_counts_from_when_the_answer_came, the_database_is_slow),
    (broken.it_may_be_taken_in_a_transaction, a_transaction_is_open),
]


class TestBroken(ClaimsCase):
    def finds_out(self, breaks: Break, tell: Callable[[], None]) -> None:
        with self.subTest(breaks.__name__):
            with pytest.MonkeyPatch.context() as patch:
                breaks(patch)
                with pytest.raises(AssertionError):
                    tell()
            self._fixture_teardown()

    def test_random_steps_find_out(self) -> None:
        def steps() -> None:
            with on_stage(self, "auto") as machine:
                run_state_machine_as_test(machine, settings=ENOUGH)

        for breaks in RANDOM:
            self.finds_out(breaks, steps)

    def test_stories_of_claims_find_out(self) -> None:
        for breaks, story in MACHINE_STORIES:

            def tell(story: Callable[[ClaimMachine], None] = story) -> None:
                with on_stage(self, "auto") as machine:
                    played = machine()
                    story(played)
                    played.tables_are_as_the_model_says()

            tell()  # by the right rules
            self.finds_out(breaks, tell)

    def test_stories_of_leases_find_out(self) -> None:
        for breaks, story in LEASE_STORIES:
            if breaks is broken.a_confirmation_only_looks and not connection.features.has_select_for_update:
                continue  # there whoever reads keeps all others from writing
            story(self)
            self._fixture_teardown()
            self.finds_out(breaks, lambda story=story: story(self))  # type: ignore[misc]
