"""The queue's own connection, and what is tried again."""

from __future__ import annotations

from concurrent import futures
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from django_simple_queue.backends import OwnSession, Session
from django_simple_queue.backends.errors import Trouble, trouble
from django_simple_queue.models import Task

from .cases import TransitionCase

TABLE = Task._meta.db_table


class Busy(OperationalError):
    sqlstate = "55P03"


class TestAttempt(TransitionCase):
    def failing(self, times: int, error: Exception) -> Any:
        left = [error] * times

        def work() -> str:
            if left:
                raise left.pop()
            return "done"

        return work

    def test_a_busy_database_is_asked_again(self) -> None:
        assert self.session.attempt(self.failing(3, Busy())) == "done"

    def test_but_not_for_ever(self) -> None:
        self.session.wait = 0.02
        with pytest.raises(Busy):
            self.session.attempt(self.failing(1000, Busy()))

    def test_and_not_within_a_transaction(self) -> None:
        with pytest.raises(Busy), transaction.atomic():
            Session(self.alias).attempt(self.failing(1, Busy()))
        with pytest.raises(Busy), self.session.transaction():
            self.session.attempt(self.failing(1, Busy()))

    def test_other_errors_are_not(self) -> None:
        with pytest.raises(OperationalError):
            self.session.attempt(self.failing(1, OperationalError("a syntax error")))

    def test_a_locked_row_is_trouble_that_passes(self) -> None:
        (task,) = self.add()
        other = self.new_session()
        other.wait = 0
        hurry = other.dialect.lock_timeout
        with self.session.transaction():
            self.session.write(f"UPDATE {TABLE} SET args = '1'")
            with futures.ThreadPoolExecutor(1) as pool, pytest.raises(OperationalError) as caught:
                pool.submit(self.write_with, other, hurry).result()
        assert trouble(caught.value) is Trouble.BUSY
        assert self.row(task).args == "1"

    def write_with(self, other: OwnSession, hurry: str | None) -> None:
        with other.transaction():
            if hurry:
                other.write(hurry)
            other.write(f"UPDATE {TABLE} SET args = '2'")

    def test_a_missing_table_is_named(self) -> None:
        with pytest.raises(Exception, match="nowhere") as caught:
            self.session.rows("SELECT 1 FROM nowhere")
        assert trouble(caught.value) is Trouble.NO_TABLE


class TestOwnSession(TransitionCase):
    def test_it_is_not_the_connection_of_the_thread(self) -> None:
        with transaction.atomic():
            if connection.features.has_select_for_update:  # else the write below would wait for us
                self.add()
            assert not self.session.in_transaction
            assert self.session.rows(f"SELECT count(*) FROM {TABLE}") == [(0,)]

    def test_it_commits_each_statement(self) -> None:
        with self.second_alias(AUTOCOMMIT=False, ATOMIC_REQUESTS=True) as using:
            own = OwnSession(using)
            self.addCleanup(own.close)
            self.add()
            own.write(f"UPDATE {TABLE} SET args = 'x'")
            assert Task.objects.get().args == "x"

    def test_a_transaction_is_undone_by_an_exception(self) -> None:
        (task,) = self.add()
        for own in (self.session, Session(self.alias)):
            with pytest.raises(ZeroDivisionError):
                self.write_and_fail(own, own.transaction())
            assert self.row(task).args != "undone"
            assert not own.in_transaction

    def test_part_of_a_transaction_can_be_undone(self) -> None:
        (task,) = self.add()
        for own in (self.session, Session(self.alias)):
            with own.transaction():
                own.write(f"UPDATE {TABLE} SET args = 'kept'")
                with pytest.raises(ZeroDivisionError):
                    self.write_and_fail(own, own.undoable())
            assert self.row(task).args == "kept"

    def write_and_fail(self, own: Session, within: AbstractContextManager[None]) -> None:
        with within:
            own.write(f"UPDATE {TABLE} SET args = 'undone'")
            raise ZeroDivisionError

    def test_it_connects_again_after_close(self) -> None:
        self.session.close()
        assert self.session.rows("SELECT 1") == [(1,)]

    def test_each_statement_of_a_claim_sees_what_is_committed(self) -> None:
        """READ COMMITTED, even where the project asks for REPEATABLE READ."""
        if not connection.features.has_select_for_update:
            self.skipTest("has_select_for_update: nobody can write meanwhile")
        (task,) = self.add()
        count = f"SELECT count(*) FROM {TABLE} WHERE args = 'new'"
        with self.second_alias(OPTIONS={"isolation_level": REPEATABLE_READ[connection.vendor]}) as using:
            own = OwnSession(using)
            self.addCleanup(own.close)
            for session in (own, *CALLERS_TOO.get(connection.vendor, lambda name: [])(using)):
                self.change([task], args="old")
                with session.transaction():
                    assert session.rows(count) == [(0,)]
                    self.change([task], args="new")
                    assert session.rows(count) == [(1,)]


REPEATABLE_READ: dict[str, Any] = {"mysql": "repeatable read", "postgresql": 2}
# Where a claim on the caller's connection, outside any transaction, can ask for its own isolation.
CALLERS_TOO: dict[str, Any] = {"mysql": lambda using: [Session(using)]}
