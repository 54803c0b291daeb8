"""A claim in the caller's transaction: what rivals see of it, and that nothing is tried again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import Error, OperationalError, connection, connections, transaction
from django.db.models import F

from django_simple_queue.backends import Session
from django_simple_queue.claims import claim_rows

from .models import Campaign, Target
from .tools import (
    IMPATIENT,
    PATIENCE,
    Rival,
    another_alias,
    assert_as_stored,
    reads_and_writes,
    repeatable_read,
    statements,
    until,
    waits,
)

OPEN = Target.objects.filter(status=0).order_by("priority")
ONE_WRITER = "has_select_for_update: one writer at a time"


@pytest.fixture(autouse=True)
def targets(strategy: Any) -> None:
    campaign = Campaign.objects.create()
    Target.objects.bulk_create(Target(priority=n, campaign=campaign) for n in range(6))


@pytest.fixture
def skips(strategy: Any) -> bool:
    """Whether rivals of a claim that is not yet committed take other rows at once."""
    return "SkipLocked" in strategy.__name__


def take(limit: int = 2, queryset: Any = OPEN, **given: Any) -> list[int]:
    return [one.priority for one in claim_rows(queryset, limit=limit, updates={"status": 1}, **given)]


def take_some() -> list[int]:
    """Until there are some: compare-and-swap may come back empty from rows that others had."""
    return next(found for found in iter(take, None) if found)


def test_a_rival_skips_what_is_held_or_waits_for_it_and_then_gets_other_rows(rival: Rival, skips: bool) -> None:
    many_more()
    with transaction.atomic():
        assert take() == [0, 1]
        others = rival.start(take_some)
        if skips:
            assert others.result(PATIENCE) == [2, 3]
        else:
            assert waits(others)
    found = others.result(PATIENCE)
    assert len(found) == 2
    assert len({0, 1, *found, *take()}) == 6


def many_more() -> None:
    """As otherwise a database may sort what it finds, and then it locks all of that."""
    Target.objects.bulk_create(Target(priority=100 + n) for n in range(300))
    if connection.vendor == "mysql":
        Session().rows("ANALYZE TABLE claims_target")


def test_what_is_rolled_back_can_be_claimed_again(rival: Rival, skips: bool) -> None:
    with transaction.atomic():
        assert take() == [0, 1]
        others = None if skips else rival.start(take_some)
        transaction.set_rollback(True)
    assert (others.result(PATIENCE) if others else rival.does(take_some)) == [0, 1]


def test_a_savepoint_that_is_rolled_back_gives_its_rows_back(rival: Rival) -> None:
    with transaction.atomic():
        assert take() == [0, 1]
        with transaction.atomic():
            assert take() == [2, 3]
            transaction.set_rollback(True)
        assert take() == [2, 3]
    assert rival.does(take) == [4, 5]


def test_a_connection_that_breaks_gives_them_back(rival: Rival) -> None:
    with contextlib.suppress(Error), transaction.atomic():
        assert take() == [0, 1]
        connection.connection.close()
    connection.close()
    found: list[int] = []
    until(lambda: found.extend(rival.does(take)) or len(found) == 6)  # a server may need a moment to notice
    assert sorted(found) == [0, 1, 2, 3, 4, 5]


def test_a_joined_filter_holds_the_rows_of_its_own_table_alone(rival: Rival) -> None:
    if not connection.features.has_select_for_update:
        pytest.skip(ONE_WRITER)
    with transaction.atomic():
        assert take(2, OPEN.filter(campaign__active=True).order_by("campaign__rank", "priority")) == [0, 1]
        assert rival.does(lambda: Campaign.objects.update(rank=5)) == 1
    assert Target.objects.filter(status=1).count() == 2


def test_what_comes_back_is_what_others_have_committed_meanwhile(rival: Rival, other_rival: Rival) -> None:
    first = OPEN[0]
    with rival.holding(lambda: Target.objects.filter(pk=first.pk).update(label="new", tries=7)):
        claim = other_rival.start(lambda: claim_rows(OPEN, limit=6, updates={"status": 1}))
        waits(claim)
    found = claim.result(PATIENCE)
    assert len(found) >= 5  # without the row that was locked, where such are skipped
    assert_as_stored(found)


# -- errors are the caller's -------------------------------------------------------------------------------------


def test_a_busy_database_is_asked_once(rival: Rival, skips: bool) -> None:
    if skips:
        pytest.skip("it does not wait for rows")
    with another_alias(OPTIONS=IMPATIENT[connection.vendor]) as alias, statements(alias) as sent:
        with rival.holding(take), pytest.raises(OperationalError), transaction.atomic(using=alias):
            take(using=alias)
        assert len(reads_and_writes(sent)) <= 2
        assert sum("claims_target" in sql for sql in sent) <= 2


HINT = "database is locked: .*set OPTIONS transaction_mode=IMMEDIATE, or claim or confirm.. first"


@pytest.fixture(params=["delete", "wal"])
def journal(request: pytest.FixtureRequest, rival: Rival) -> Iterator[str]:
    """Of SQLite, without and with which others can commit while we read."""
    if connection.features.has_select_for_update:
        pytest.skip("has_select_for_update: writers do not exclude each other")
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA journal_mode = {request.param}")
        assert cursor.fetchone() == (request.param,)
        yield request.param
        rival.does(lambda: connections["default"].close())
        cursor.execute("PRAGMA journal_mode = delete")
        assert cursor.fetchone() == ("delete",)


def test_sqlite_says_what_to_do_about_a_transaction_that_has_read_before(journal: str, rival: Rival) -> None:
    with transaction.atomic():
        assert OPEN.count() == 6
        writer = rival.start(lambda: Target.objects.update(tries=1))
        assert waits(writer) is (journal == "delete")
        with statements() as sent, pytest.raises(OperationalError, match=HINT):
            take()
        transaction.set_rollback(True)
    assert writer.result(PATIENCE) == 6
    assert [sql.split()[0] for sql in sent if "claims_target" in sql] == ["SELECT", "UPDATE"]


def test_sqlite_lets_a_transaction_claim_that_claims_first_or_is_immediate(journal: str, rival: Rival) -> None:
    with transaction.atomic():
        assert take() == [0, 1]
        assert OPEN.count() == 4
    with another_alias(OPTIONS={"transaction_mode": "IMMEDIATE"}) as alias:
        with transaction.atomic(using=alias):
            assert OPEN.using(alias).count() == 4
            writer = rival.start(lambda: Target.objects.update(tries=2))
            assert waits(writer)
            assert take(using=alias) == [2, 3]
        assert writer.result(PATIENCE) == 6


def test_a_serialization_failure_is_raised_at_once(rival: Rival) -> None:
    if not connection.features.has_select_for_no_key_update:
        pytest.skip("has_select_for_no_key_update: elsewhere what has changed after a snapshot may be written")
    with another_alias(OPTIONS={"isolation_level": repeatable_read()}) as alias, statements(alias) as sent:
        with transaction.atomic(using=alias):
            assert OPEN.using(alias).count() == 6
            assert rival.does(take) == [0, 1]
            sent.clear()
            with pytest.raises(OperationalError, match="could not serialize"):
                take(using=alias)
            transaction.set_rollback(True, using=alias)
        assert len(reads_and_writes(sent)) <= 2


def test_innodb_at_repeatable_read_keeps_what_was_claimed_and_the_gaps_beside_it(strategy: Any, rival: Rival) -> None:
    """In the caller's transaction, whose isolation it is."""
    if connection.vendor != "mysql":
        pytest.skip("see the serialization failures of PostgreSQL")
    Target.objects.update(priority=F("priority") * 10)

    def add() -> int:
        with another_alias("third", OPTIONS=IMPATIENT["mysql"]) as alias:
            return int(Target.objects.using(alias).create(priority=25).priority)

    with another_alias(OPTIONS={"isolation_level": repeatable_read()}) as alias, transaction.atomic(using=alias):
        assert OPEN.using(alias).count() == 6  # what it goes on seeing
        assert rival.does(take) == [0, 10]
        found: list[int] = []
        until(lambda: found.extend(take(using=alias)) or found)  # compare-and-swap looks where rows were
        assert not {0, 10} & {*found}
        if strategy.__name__ == "CompareAndSwap":
            assert rival.does(add) == 25
        else:
            assert found == [20, 30]
            with pytest.raises(OperationalError, match="Lock wait timeout"):
                rival.does(add)
    assert not {0, 10, *found} & {*take(), *take()}
