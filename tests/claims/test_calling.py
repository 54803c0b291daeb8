"""Which database is asked, in which transaction, for how long, and in how many statements."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import OperationalError, connection, connections, transaction
from django.db.models import F, Q
from django.test import TestCase

from django_simple_queue.claims import DbNow, aclaim_rows, claim_rows

from .models import Campaign, Child, Computed, PairTarget, Target
from .tools import IMPATIENT, PATIENCE, Rival, another_alias, reads_and_writes, statements, until

OPEN = Target.objects.filter(status=0)
TAKE: dict[str, Any] = {"limit": 1, "updates": {"status": 1}}


class Replica:
    """A router that sends all that only reads to an alias from which nothing may be claimed."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "replica"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"


@pytest.fixture
def replica(strategy: Any, settings: Any) -> Iterator[list[str]]:
    """What was sent to it."""
    Target.objects.create(campaign=Campaign.objects.create())
    settings.DATABASE_ROUTERS = [Replica()]
    with another_alias("replica"), statements("replica") as sent:
        yield sent
        settings.DATABASE_ROUTERS = []


# -- which database ----------------------------------------------------------------------------------------------


def test_a_router_with_a_replica_is_asked_for_the_alias_to_write(replica: list[str]) -> None:
    filtered = OPEN.filter(campaign__in=Campaign.objects.filter(active=True), campaign__rank=0)
    (found,) = claim_rows(filtered.order_by("campaign__rank"), **TAKE)
    assert (found._state.db, replica) == ("default", [])
    Target.objects.using("default").update(status=0)
    (found,) = claim_rows(OPEN, limit=1, updates={"status": F("status") + 1})
    assert (found._state.db, found.status, replica) == ("default", 1, [])


def test_the_querysets_own_alias_comes_before_the_router_and_using_before_both(replica: list[str]) -> None:
    (found,) = claim_rows(OPEN.using("replica"), **TAKE)
    assert found._state.db == "replica"
    assert replica
    Target.objects.using("default").update(status=0)
    replica.clear()
    (found,) = claim_rows(OPEN.using("replica"), using="default", **TAKE)
    assert (found._state.db, replica) == ("default", [])


def test_a_related_managers_rows_are_claimed_where_its_object_is_from(strategy: Any) -> None:
    with another_alias() as second:
        campaign = Campaign.objects.using(second).create()
        campaign.target_set.create()
        (found,) = claim_rows(campaign.target_set.filter(status=0), **TAKE)
        assert found._state.db == second


def test_an_alias_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match="no database 'nowhere'"):
        claim_rows(OPEN, using="nowhere", **TAKE)


def test_each_alias_has_the_strategy_that_is_set_for_it(database: None, settings: Any) -> None:
    Target.objects.create()
    settings.DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY = {"second": "compare_and_swap"}
    with another_alias() as second, statements("default", second) as sent:
        claim_rows(OPEN, **TAKE)
        locked = "LOCKED" in " ".join(sent)
        sent.clear()
        Target.objects.update(status=0)
        claim_rows(OPEN, using=second, **TAKE)
        assert any("SAVEPOINT" in sql for sql in sent)
    assert locked is connection.features.has_select_for_update_skip_locked


# -- which transaction -------------------------------------------------------------------------------------------


def test_durable_is_refused_in_a_transaction(strategy: Any) -> None:
    Target.objects.create()
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        claim_rows(OPEN, durable=True, **TAKE)
    with transaction.atomic(), transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        claim_rows(OPEN, durable=True, **TAKE)
    assert len(claim_rows(OPEN, durable=True, **TAKE)) == 1


def test_where_the_caller_commits_by_hand_the_claim_is_the_callers(strategy: Any) -> None:
    if strategy.__name__ == "CompareAndSwap" and not connection.features.has_select_for_update:
        pytest.skip(
            "sqlite3 commits with a savepoint where nothing else has begun a transaction, as Django's pages say"
        )
    Target.objects.create()
    transaction.set_autocommit(False)
    try:
        assert len(claim_rows(OPEN, **TAKE)) == 1
        assert claim_rows(OPEN, **TAKE) == []
        transaction.rollback()
        assert len(claim_rows(OPEN, **TAKE)) == 1
        transaction.commit()
        with pytest.raises(RuntimeError, match="durable"):
            claim_rows(OPEN, durable=True, **TAKE)
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    assert claim_rows(OPEN, **TAKE) == []


class InTestCase(TestCase):
    """A project's tests of its own code that claims."""

    @classmethod
    def setUpTestData(cls) -> None:
        Target.objects.bulk_create(Target(priority=n) for n in range(3))

    def claim(self, **given: Any) -> list[int]:
        queryset = OPEN.filter(priority__lt=2).order_by("priority")
        return [one.priority for one in claim_rows(queryset, limit=5, updates={"status": F("status") + 1}, **given)]

    def test_it_claims_and_the_next_test_finds_the_rows_again(self) -> None:
        assert self.claim() == [0, 1]
        assert self.claim() == []

    def test_the_transaction_around_each_test_is_no_callers(self) -> None:
        assert self.claim(durable=True) == [0, 1]
        with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
            self.claim(durable=True)

    def test_plain_updates(self) -> None:
        assert len(claim_rows(OPEN, durable=True, limit=2, updates={"status": 1})) == 2
        assert len(claim_rows(OPEN, limit=2, updates={"status": 1})) == 1


# -- how long ----------------------------------------------------------------------------------------------------


def test_a_busy_database_is_asked_again_for_as_long_as_wait_says(
    database: None, settings: Any, rival: Rival, other_rival: Rival
) -> None:
    settings.DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY = "compare_and_swap"  # which waits for rows everywhere
    Target.objects.create()
    with another_alias(OPTIONS=IMPATIENT[connection.vendor]) as alias, statements(alias) as sent:
        with rival.holding(lambda: Target.objects.update(tries=1)), pytest.raises(OperationalError):
            claim_rows(OPEN, using=alias, wait=0, **TAKE)
        tried_once = len(sent)
        sent.clear()
        with rival.holding(lambda: Target.objects.update(tries=2)):
            other_rival.start(lambda: (until(lambda: len(sent) > tried_once), rival.leave.set()))
            assert len(claim_rows(OPEN, using=alias, wait=PATIENCE, **TAKE)) == 1
    assert len(sent) > tried_once


# -- how many statements -----------------------------------------------------------------------------------------


def test_the_number_of_statements(strategy: Any) -> None:
    """Besides those that set up, begin and end the transaction."""
    returning = strategy.__name__ == "SkipLockedReturning"
    swapping = strategy.__name__ == "CompareAndSwap"
    locks_one_table = connection.features.has_select_for_update_of or not connection.features.has_select_for_update
    Target.objects.bulk_create(Target(campaign=Campaign.objects.create()) for _ in range(9))
    PairTarget.objects.create(tenant=1, number=1)
    Child.objects.create()
    Computed.objects.create()
    plain = 1 if returning else 3 if swapping else 2
    read_again = 1 if returning else 3
    assert count(OPEN, {"status": 1}) == plain
    joined = OPEN.filter(campaign__active=True).order_by("id")
    assert count(joined, {"status": 1}) == (plain if locks_one_table else 3)
    assert count(OPEN, {"status": 1, "tries": F("tries") + 1}) == read_again
    assert count(OPEN, {"status": F("status") + 1}) == read_again + 1  # and the proof
    past = OPEN.filter(Q(lease_until=None) | Q(lease_until__lte=DbNow()))
    assert count(past, {"status": 1}) == plain
    assert count(OPEN.filter(priority=7), {"status": 1}) == 1
    assert count(PairTarget.objects.filter(status=0), {"status": 1}) == (3 if swapping else 2)
    assert count(Child.objects.filter(sent=False), {"sent": True}) == 3
    assert count(Computed.objects.filter(status=0), {"status": 1}) == read_again


def count(queryset: Any, updates: dict[str, Any]) -> int:
    with statements() as sent:
        claim_rows(queryset, limit=2, updates=updates)
    return len(reads_and_writes(sent))


# -- and what is left behind -------------------------------------------------------------------------------------


def test_a_thread_that_has_claimed_leaves_no_connection_behind(strategy: Any) -> None:
    left: list[Any] = []

    def work() -> None:
        claim_rows(OPEN, **TAKE)
        left.append(weakref.ref(connections["default"]))
        connections["default"].close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    gc.collect()
    assert left[0]() is None


def test_aclaim_rows_is_the_same_for_coroutines(strategy: Any) -> None:
    Target.objects.bulk_create(Target(priority=n) for n in range(3))

    @async_to_sync
    async def claim(**given: Any) -> list[int]:
        return [one.priority for one in await aclaim_rows(OPEN.order_by("-priority"), **{**TAKE, "limit": 2, **given})]

    assert claim() == [2, 1]
    with pytest.raises(ValueError, match="limit must be"):
        claim(limit=0)
    assert claim(durable=True, wait=1, using="default") == [0]
