"""A lease is one holder's at a time, and its fence only grows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import Error, connection, connections, transaction
from django.db.backends.signals import connection_created
from django.test import TestCase

from django_simple_queue.claims import DbNow, LeaseHeld, LeaseLost, lease
from django_simple_queue.clock import clock
from django_simple_queue.models import Lease

from .case import ClaimsCase
from .crew import wait_for
from .models import Heap

RIVAL = "rival"


def expire(name: str = "a") -> None:
    Lease.objects.filter(name=name).update(expires_at=DbNow() - timedelta(seconds=1))


def row(name: str = "a") -> Lease:
    return Lease.objects.get(name=name)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def is_held(held: lease) -> bool:
    try:
        held.check()
    except LeaseLost:
        return False
    return True


@contextmanager
def beside(work: Callable[[], Any]) -> Iterator[list[Any]]:
    """`work` in a thread, with a connection of its own; what it gave back, or raised, is there at the end."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:
            outcome.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield outcome
    finally:
        thread.join(60)
        assert not thread.is_alive()


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


class TestHaving(ClaimsCase):
    def test_a_look_asks_no_database(self) -> None:
        with lease("a", 30, renew=False) as held, self.assertNumQueries(0):
            held.check()

    def test_it_is_over_when_its_time_is_and_may_be_renewed_while_nobody_has_taken_it(self) -> None:
        held = lease("a", 1, renew=False).acquire()
        held.check()
        wait_for(lambda: not is_held(held), "its time to pass")
        held.renew()
        held.check()
        with pytest.raises(LeaseHeld):
            lease("a", 1).acquire()
        held.release()

    def test_its_time_counts_from_before_the_statement_was_sent(self) -> None:
        sent = []

        def slow(execute: Any, *given: Any) -> Any:
            sent.append(clock())
            time.sleep(0.01)
            return execute(*given)

        with connection.execute_wrapper(slow):
            held = lease("a", 30, renew=False).acquire()
            assert held.deadline <= sent[-1] + 30e9
            held.renew()
            assert held.deadline <= sent[-1] + 30e9
        held.release()

    def test_a_renewal_never_shortens_it(self) -> None:
        held = lease("a", 30, renew=False).acquire()
        Lease.objects.update(expires_at=DbNow() + timedelta(hours=1))
        later = row().expires_at
        held.renew()
        with transaction.atomic():
            held.confirm()
        assert row().expires_at == later
        held.release()

    def test_a_renewal_that_could_be_rolled_back_is_refused(self) -> None:
        with lease("a", 30, renew=False) as held, transaction.atomic(), pytest.raises(RuntimeError, match="confirm"):
            held.renew()

    def test_a_thread_renews_it(self) -> None:
        with lease("a", 1) as held:
            for _ in range(2):
                before = row().expires_at
                wait_for(lambda before=before: row().expires_at != before, "a renewal")  # type: ignore[misc]
                held.check()
            with pytest.raises(LeaseHeld):
                lease("a", 1).acquire()

    def test_the_thread_tells_of_a_loss(self) -> None:
        held = lease("a", 1).acquire()
        with self.assertLogs("django_simple_queue", "WARNING") as logs:
            Lease.objects.update(owner="x", fence=7)
            wait_for(lambda: not is_held(held), "the thread to notice")
            wait_for(lambda: logs.output, "a warning")
        assert "Lease 'a' was lost: another process has taken it" in logs.output[0]
        with pytest.raises(LeaseLost):
            held.release()


class TestConfirming(ClaimsCase):
    def test_it_needs_a_transaction(self) -> None:
        with lease("a", 30) as held, pytest.raises(RuntimeError, match="transaction"):
            held.confirm()

    def test_it_counts_from_its_statement_not_from_when_the_transaction_began(self) -> None:
        with lease("a", 1, renew=False) as held, transaction.atomic():
            Heap.objects.count()
            time.sleep(1.1)
            held.confirm()
            assert Lease.objects.filter(expires_at__gt=DbNow()).exists()

    def test_what_is_rolled_back_prolongs_nothing(self) -> None:
        with lease("a", 30, renew=False) as held:
            before, deadline = row().expires_at, held.deadline
            with transaction.atomic():
                held.confirm()
                transaction.set_rollback(True)
            assert (row().expires_at, held.deadline) == (before, deadline)

    def test_a_successor_waits_for_the_commit_however_long_that_takes(self) -> None:
        held = lease("a", 1, renew=False).acquire()

        def succeed() -> tuple[int, int]:
            with lease("a", 1, wait=60, renew=False) as after:
                return after.fence, Heap.objects.count()

        with beside(succeed) as outcome:
            with transaction.atomic():
                held.confirm()
                time.sleep(1.1)
                assert not outcome
                Heap.objects.create()
            assert not is_held(held)
        assert outcome == [(2, 1)]

    def test_a_renewal_that_waits_for_it_is_no_loss(self) -> None:
        with lease("a", 1) as held:
            with transaction.atomic():
                held.confirm()
                time.sleep(1.1)
            wait_for(lambda: is_held(held), "the renewal")
            assert row().fence == held.fence

    def test_nor_is_one_that_may_not_wait_that_long(self) -> None:
        with self.aliases(RIVAL), lease("a", 1, using=RIVAL) as held:
            with transaction.atomic(using=RIVAL):
                held.confirm()
                time.sleep(1.1)
            wait_for(lambda: is_held(held), "the renewal")


class TestWithoutADatabase(ClaimsCase):
    """For a while the table has another name: an error on every database, for every statement."""

    @contextmanager
    def no_table(self) -> Iterator[None]:
        def rename(old: str, new: str) -> None:
            with connection.schema_editor() as editor:
                editor.alter_db_table(Lease, old, new)

        table = Lease._meta.db_table
        rename(table, "lease_away")
        try:
            yield
        finally:
            rename("lease_away", table)

    def test_a_renewal_is_tried_again(self) -> None:
        connected = threading.Semaphore(0)  # once to begin with, and once after each error

        def count(**_: Any) -> None:
            if threading.current_thread().name == "lease a":
                connected.release()

        connection_created.connect(count)
        self.addCleanup(connection_created.disconnect, count)
        with lease("a", 4) as held:
            before = row().expires_at
            with self.no_table():
                assert connected.acquire(timeout=30)
                assert connected.acquire(timeout=30)
            wait_for(lambda: row().expires_at != before, "a renewal")
            held.check()

    def test_until_its_time_is_over(self) -> None:
        held = lease("a", 1).acquire()
        with self.no_table(), self.assertLogs("django_simple_queue", "WARNING") as logs:
            wait_for(lambda: logs.output, "the thread to give up")
        assert "Lease 'a' could not be renewed in time" in logs.output[0]
        assert not is_held(held)
        held.release()  # as nobody has taken it

    def test_it_is_given_back_by_a_second_release(self) -> None:
        held = lease("a", 30).acquire()
        with self.no_table(), pytest.raises(Error):
            held.release()
        assert row().owner == held.owner
        held.release()
        assert row().owner is None

    def test_who_could_not_give_it_back_at_the_end_of_a_block_has_it_no_more_and_may_take_it_again(self) -> None:
        held = lease("a", 30)
        with ExitStack() as stack, pytest.raises(Error), held:
            stack.enter_context(self.no_table())
        assert row().owner
        assert not is_held(held)
        expire()
        with held:
            assert held.fence == 2


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
