"""Claims that read the clock, the database's or the project's."""

from __future__ import annotations

import datetime
import time
from contextlib import nullcontext
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F, Q

from django_simple_queue.claims import ClaimError, DbNow, claim_rows

from .models import Target
from .test_guard import BERLIN, FIRST_TIME, NOW, SECOND_TIME, STILL_INSIDE
from .tools import another_alias, statements, until

OPEN = Target.objects.filter(status=0)


def test_the_clock_of_a_claim_goes_on_during_a_transaction(strategy: Any) -> None:
    Target.objects.create(lease_until=None)
    with transaction.atomic():
        Target.objects.update(lease_until=DbNow())
        expired = Target.objects.filter(lease_until__lt=DbNow())
        until(lambda: claim_rows(expired, limit=1, updates={"lease_until": DbNow() + datetime.timedelta(hours=1)}))
        assert claim_rows(expired, limit=1, updates={"lease_until": DbNow() + datetime.timedelta(hours=1)}) == []


def test_rows_that_expire_between_the_look_and_the_write_are_left(strategy: Any) -> None:
    Target.objects.bulk_create(Target(priority=n) for n in range(9))
    fresh = OPEN.filter(lease_until__gt=DbNow()).order_by("priority")
    for in_transaction in (False, True):
        Target.objects.update(status=0, lease_until=DbNow() + datetime.timedelta(hours=1))
        soon = Target.objects.filter(priority__in=[0, 4, 7])
        soon.update(lease_until=DbNow() + datetime.timedelta(seconds=0.3))
        began = time.monotonic()

        def wait(execute: Any, sql: str, *rest: Any, began: float = began) -> Any:
            if "UPDATE claims_target" in sql.replace('"', "").replace("`", ""):
                time.sleep(max(0, began + 0.4 - time.monotonic()))
            return execute(sql, *rest)

        with transaction.atomic() if in_transaction else nullcontext(), connection.execute_wrapper(wait):
            found = claim_rows(fresh, limit=9, updates={"status": 1})
        assert [one.priority for one in found] == [1, 2, 3, 5, 6, 8]
        assert Target.objects.filter(status=1).count() == 6


def test_a_claim_that_is_suspended_for_longer_than_its_own_lease_is_tried_again(strategy: Any) -> None:
    """What it has written is over by the time that it is looked whether the row has left the filter."""
    Target.objects.create()
    free = Target.objects.filter(Q(lease_until=None) | Q(lease_until__lt=DbNow()))
    pauses = iter([0.3])

    def pause(sql: str) -> None:
        if "UPDATE " in sql and "SET " in sql:
            time.sleep(next(pauses, 0))

    with statements(also=pause):
        updates = {"lease_until": DbNow() + datetime.timedelta(seconds=0.2), "fence": F("fence") + 1}
        (found,) = claim_rows(free, limit=1, updates=updates)
    assert found.fence == 1
    assert next(pauses, None) is None


def test_times_prove_themselves_as_they_are_stored(strategy: Any) -> None:
    """In an hour that comes twice: for an alias with a TIME_ZONE some databases store what the clocks there show."""
    for zone in (None, BERLIN):
        with another_alias(TIME_ZONE=zone) as alias:
            for limit, value in ((FIRST_TIME, SECOND_TIME), (SECOND_TIME, FIRST_TIME)):
                early = Target.objects.using(alias).create(lease_until=NOW)
                queryset = Target.objects.using(alias).filter(lease_until__lt=limit)
                Target.objects.using(alias).filter(pk=early.pk).update(lease_until=value)
                stays = queryset.exists()
                Target.objects.using(alias).filter(pk=early.pk).update(lease_until=NOW)
                if stays:
                    with pytest.raises(ClaimError, match=STILL_INSIDE):
                        claim_rows(queryset, limit=1, updates={"lease_until": value})
                else:
                    assert claim_rows(queryset, limit=1, updates={"lease_until": value}) == [early]
                Target.objects.all().delete()


def test_a_row_that_is_claimed_by_a_lease_comes_back_when_that_is_over(strategy: Any) -> None:
    Target.objects.bulk_create(Target(priority=n) for n in range(5))

    def take(minutes: int) -> list[Target]:
        free = Target.objects.filter(Q(lease_until=None) | Q(lease_until__lt=DbNow()), status=0).order_by("priority")
        until = DbNow() + datetime.timedelta(minutes=minutes)
        return claim_rows(free, limit=2, updates={"lease_until": until, "fence": F("fence") + 1})

    def finish(one: Target) -> int:
        return Target.objects.filter(pk=one.pk, fence=one.fence).update(status=1)

    first, second = take(5)
    assert (first.fence, second.fence) == (1, 1)
    assert [one.priority for one in take(5)] == [2, 3]
    Target.objects.filter(pk=first.pk).update(lease_until=DbNow() - datetime.timedelta(seconds=1))
    again, _ = take(5)
    assert (again, again.fence) == (first, 2)
    assert [finish(first), finish(again), finish(second)] == [0, 1, 1]
    assert take(5) == []
