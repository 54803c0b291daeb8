"""A lease is one holder's at a time, and its fence only grows."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import TestCase

from django_simple_queue.claims import LeaseHeld, LeaseLost, lease
from django_simple_queue.models import Lease

from .case import ClaimsCase
from .holders import RIVAL, beside, expire, row, threads


class TestTaking(ClaimsCase):
    def test_what_another_has_is_refused(self) -> None:
        with lease("a", 30), pytest.raises(LeaseHeld, match="'a' is held by another process"), lease("a", 30):
            raise AssertionError("two have it")

    def test_another_name_is_another_lease(self) -> None:
        with lease("a", 30), lease("b", 30):
            assert Lease.objects.exclude(owner=None).count() == 2

    def test_it_is_waited_for(self) -> None:
        held = lease("a", 30).acquire()
        with beside(lambda: lease("a", 30, wait=60, renew=False).acquire().fence) as outcome:
            time.sleep(0.1)
            assert not outcome
            held.release()
        assert outcome == [2]

    def test_the_wait_ends(self) -> None:
        with lease("a", 30):
            began = time.monotonic()
            with pytest.raises(LeaseHeld):
                lease("a", 30, wait=0.2).acquire()
            assert time.monotonic() - began >= 0.2

    def test_names_are_such_that_every_database_compares_alike(self) -> None:
        for name in ("", "A", "a b", "é", "a\n", "a" * 191, "a_B"):
            with pytest.raises(ValueError, match="name"):
                lease(name, 30)
        for name in ("a" * 190, "stream:7/eu-west_1.x"):
            with lease(name, 30):
                assert row(name).owner

    def test_it_lasts_a_second_or_more(self) -> None:
        wrong: list[Any] = [0, 0.9, -1, float("nan"), True, None, "30", timedelta(milliseconds=999)]
        for ttl in wrong:
            with pytest.raises(ValueError, match="1 second or more"):
                lease("a", ttl)
        with lease("a", timedelta(minutes=1)) as held:
            assert held.seconds == 60

    def test_it_lasts_a_year_at_most(self) -> None:
        for ttl in (timedelta(days=365, seconds=1), timedelta.max, float("inf"), 3e11, 10**400):
            with pytest.raises(ValueError, match="a year at most"):
                lease("a", ttl)
        with lease("a", timedelta(days=365)) as held:
            held.renew()
            with pytest.raises(LeaseHeld):
                lease("a", 1).acquire()

    def test_in_a_transaction_that_may_be_rolled_back_it_is_refused(self) -> None:
        with transaction.atomic(), self.assertNumQueries(0), pytest.raises(RuntimeError, match="inside a transaction"):
            lease("a", 30).acquire()

    def test_the_fence_grows_with_each_holder_and_the_row_stays(self) -> None:
        fences = []
        for _ in range(3):
            with lease("a", 30) as held:
                fences.append(held.fence)
            assert (row().owner, row().expires_at, row().fence) == (None, None, held.fence)
        assert fences == [1, 2, 3]

    def test_what_has_expired_is_taken_over_and_its_last_holder_can_do_nothing(self) -> None:
        late = lease("a", 30, renew=False).acquire()
        expire()
        with lease("a", 30) as held:
            assert held.fence == late.fence + 1
            late.check()  # it cannot know yet
            with pytest.raises(LeaseLost), transaction.atomic():
                late.confirm()
            for lost in (late.check, late.renew, late.release, late.release, late.check):
                with pytest.raises(LeaseLost):
                    lost()
            assert row().owner == held.owner

    def test_an_object_is_used_by_one_at_a_time_and_then_again(self) -> None:
        held = lease("a", 30).acquire()
        with pytest.raises(RuntimeError, match="taken already"):
            held.acquire()
        held.release()
        with held:
            assert held.fence == 2
            held.check()

    def test_it_lies_in_the_database_that_is_named(self) -> None:
        with self.aliases(RIVAL), lease("a", 30, using=RIVAL) as held:
            assert row().owner == held.owner
            with pytest.raises(LeaseHeld, match="default"):
                lease("a", 30).acquire()


class TestLeaving(ClaimsCase):
    def test_who_lost_it_meanwhile_is_told(self) -> None:
        with pytest.raises(LeaseLost), lease("a", 30, renew=False):
            Lease.objects.update(owner="x", fence=7)
        assert (row().owner, row().fence) == ("x", 7)

    def test_an_error_under_way_is_not_hidden(self) -> None:
        with pytest.raises(ZeroDivisionError), lease("a", 30, renew=False):
            raise ZeroDivisionError(Lease.objects.update(owner="x", fence=7))

    def test_an_error_gives_it_back(self) -> None:
        with pytest.raises(ZeroDivisionError), lease("a", 30):
            raise ZeroDivisionError
        assert row().owner is None

    def test_it_may_be_released_before_the_end(self) -> None:
        with lease("a", 30) as held:
            held.release()
            with lease("a", 30) as other:
                assert row().owner == other.owner
            with pytest.raises(LeaseLost):
                held.check()

    def test_no_thread_stays_behind(self) -> None:
        with lease("left", 30):
            assert "lease left" in threads()
        assert "lease left" not in threads()

    def test_it_is_not_given_back_in_a_transaction_that_may_be_rolled_back(self) -> None:
        held = lease("a", 30).acquire()
        with transaction.atomic(), self.assertNumQueries(0), pytest.raises(RuntimeError, match="inside a transaction"):
            held.release()
        held.check()
        assert "lease a" in threads()
        held.release()
        assert row().owner is None

    def test_nor_is_an_error_under_way_hidden_by_that_or_a_thread_left(self) -> None:
        self.addCleanup(transaction.set_autocommit, True)
        with pytest.raises(ZeroDivisionError), lease("left", 30):
            raise ZeroDivisionError(transaction.set_autocommit(False))
        assert "lease left" not in threads()


class TestInATestCase(TestCase):
    """The transaction around a TestCase is none of the project's."""

    def test_it_can_be_taken_and_no_thread_renews_what_it_could_not_see(self) -> None:
        with lease("in-a-test", 30) as held:
            assert "lease in-a-test" not in threads()
            held.check()
            held.renew()
            with pytest.raises(LeaseHeld):
                lease("in-a-test", 30).acquire()
            with transaction.atomic():
                held.confirm()
                with pytest.raises(RuntimeError):
                    lease("b", 30).acquire()
        with lease("in-a-test", 30) as held:
            assert held.fence == 2
