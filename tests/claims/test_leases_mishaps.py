"""What gets in the way of a lease: forks, summer time, locks, its own renewal, threads that do not start."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.test import override_settings

from django_simple_queue.backoff import pause
from django_simple_queue.claims import LeaseHeld, LeaseLost, lease
from django_simple_queue.models import Lease

from .case import ClaimsCase
from .crew import wait_for
from .holders import RIVAL, beside, expire, row, threads
from .models import Heap
from .tools import repeatable_read


def in_a_child(work: Callable[[], Any]) -> int:
    """The end of a fork of this process, 0 if `work` did what it should."""
    connection.close()  # which two processes cannot share
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            connection.close()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class TestForks(ClaimsCase):
    def test_a_child_that_leaves_the_block_does_not_give_it_back(self) -> None:
        with lease("a", 30, renew=False) as held:
            assert in_a_child(lambda: held.__exit__(None, None, None)) == 0
            assert row().owner == held.owner

    def test_a_child_does_not_have_it(self) -> None:
        def look() -> None:
            for refused in (held.check, held.renew, held.release):
                with pytest.raises(LeaseLost):
                    refused()
            with pytest.raises(LeaseLost), transaction.atomic():
                held.confirm()
            with pytest.raises(LeaseHeld):
                held.acquire()

        with lease("a", 30, renew=False) as held:
            assert in_a_child(look) == 0
            held.check()

    def test_a_child_may_take_it_afterwards_by_the_same_object(self) -> None:
        def take() -> None:
            with held:
                held.check()

        with lease("a", 30, renew=False) as held:
            expire()
            assert in_a_child(take) == 0
            assert row().fence == 2
            with pytest.raises(LeaseLost):
                held.release()


def wall_clock(hours: int) -> override_settings:
    """Times are stored without their zone, which is so many hours before UTC."""
    return override_settings(USE_TZ=False, TIME_ZONE=f"Etc/GMT-{hours}")


class TestSummerTime(ClaimsCase):
    def test_when_it_begins_nobody_else_gets_what_is_held(self) -> None:
        with wall_clock(1):
            held = lease("a", 30, renew=False).acquire()
        with wall_clock(2):
            with pytest.raises(LeaseHeld):
                lease("a", 30).acquire()
            held.renew()
            held.release()

    def test_when_it_ends_what_has_expired_is_free(self) -> None:
        with wall_clock(2):
            late = lease("a", 30, renew=False).acquire()
            Lease.objects.update(expires_at=F("expires_at") - timedelta(seconds=31))
        with wall_clock(1), lease("a", 30, renew=False) as held:
            assert held.fence == late.fence + 1


class TestLocks(ClaimsCase):
    def test_who_does_not_want_to_wait_does_not_wait_for_a_confirm(self) -> None:
        with lease("a", 30, renew=False) as held, transaction.atomic():
            held.confirm()
            with beside(lambda: lease("a", 30).acquire()) as outcome:
                wait_for(lambda: outcome, "the refusal", 5)
        assert [type(one) for one in outcome] == [LeaseHeld]

    def test_a_release_is_tried_again(self) -> None:
        pauses = mock.Mock(wraps=pause)
        with self.aliases(RIVAL), mock.patch("django_simple_queue.backends.session.pause", pauses):
            held = lease("a", 30, renew=False, using=RIVAL).acquire()
            with ExitStack() as stack, transaction.atomic():  # the thread is joined behind the commit
                Lease.objects.update(fence=F("fence"))
                outcome = stack.enter_context(beside(held.release))
                wait_for(lambda: outcome or pauses.called, "it to meet the lock")
            assert outcome == [None]
            assert row().owner is None


class TestItsOwnRenewal(ClaimsCase):
    """A transaction reads, a thread renews, the transaction confirms."""

    def test_sqlite_says_what_to_do_about_it(self) -> None:
        if connection.features.has_select_for_update:
            self.skipTest("has_select_for_update: writers do not exclude each other")

        def cannot_read() -> bool:
            try:
                return not isinstance(Heap.objects.using(RIVAL).count(), int)
            except OperationalError:
                return True

        hint = "is locked: .*set OPTIONS transaction_mode=IMMEDIATE, or claim or confirm.. first"
        with self.aliases(RIVAL), lease("a", 30, renew=False) as held, ExitStack() as stack:
            with transaction.atomic():
                Heap.objects.count()
                outcome = stack.enter_context(beside(held.renew))
                wait_for(cannot_read, "the renewal to wait for us to have read")
                with pytest.raises(OperationalError, match=hint):
                    held.confirm()
                transaction.set_rollback(True)
            wait_for(lambda: outcome, "the renewal")
            assert outcome == [None]

    def test_a_snapshot_that_is_older_cannot_confirm_and_the_next_one_can(self) -> None:
        if not connection.features.has_select_for_no_key_update:
            self.skipTest("has_select_for_no_key_update: elsewhere what has changed after a snapshot may be written")
        with (
            self.second_alias(OPTIONS={"isolation_level": repeatable_read()}) as alias,
            lease("a", 30, renew=False, using=alias) as held,
        ):
            with transaction.atomic(using=alias):
                Heap.objects.using(alias).count()
                with beside(held.renew) as outcome:
                    pass
                with pytest.raises(OperationalError, match="could not serialize"):
                    held.confirm()
                transaction.set_rollback(True, using=alias)
            assert outcome == [None]
            with transaction.atomic(using=alias):
                held.confirm()


class TestThreads(ClaimsCase):
    def test_without_one_that_would_renew_it_it_is_given_back(self) -> None:
        held = lease("a", 30)
        cannot = mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread"))
        with cannot, pytest.raises(RuntimeError, match="new thread"):
            held.acquire()
        assert row().owner is None
        with held:
            assert held.fence == 2

    def test_an_object_that_nobody_has_any_more_is_not_renewed(self) -> None:
        with self.assertLogs("django_simple_queue", "WARNING") as logs:
            lease("a", 1).acquire()
            wait_for(lambda: "lease a" not in threads(), "its thread to end")
        assert "Lease 'a' is not renewed any more: it was dropped without release()" in logs.output[0]
        expire()
        with lease("a", 30) as held:
            assert held.fence == 2
