"""What a lease's holder may rely on: until when it has it, and what confirm() keeps others from."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import Error, connection, transaction
from django.db.backends.signals import connection_created

from django_simple_queue.claims import DbNow, LeaseHeld, LeaseLost, lease
from django_simple_queue.clock import clock
from django_simple_queue.models import Lease

from .case import ClaimsCase
from .crew import wait_for
from .holders import RIVAL, beside, expire, is_held, row
from .models import Heap


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
