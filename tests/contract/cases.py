"""The bases of tests that commit what they write, since several connections take part."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.db import connection, connections
from django.test import TransactionTestCase

from django_simple_queue.backends import ClaimStrategy, Session, get_strategy
from django_simple_queue.models import Attempt, Task, Worker
from django_simple_queue.queue.finish import Result, finish
from django_simple_queue.records import PLAIN_SUCCESS, Claim, Outcome
from django_simple_queue.testing.contract import ClaimTests


class DatabaseCase(TransactionTestCase):
    """A TransactionTestCase that empties three tables behind each test instead of flushing all of them."""

    def _fixture_teardown(self) -> None:
        empty_tables()

    @contextmanager
    def second_alias(self, **given: Any) -> Iterator[str]:
        """Another alias of the same database, with these settings; OPTIONS are added to those of the first."""
        own = copy.deepcopy(connections["default"].settings_dict)
        own.update(given, OPTIONS={**own["OPTIONS"], **given.get("OPTIONS", {})})
        connections.settings["second"] = own
        try:
            with mock.patch.object(type(self), "databases", {"default", "second"}):
                yield "second"
        finally:
            connections["second"].close()
            del connections["second"], connections.settings["second"]


class TransitionCase(ClaimTests, DatabaseCase):
    """What becomes of tasks, by the strategy that this database gets."""

    def setUp(self) -> None:
        self.strategy_class = type(get_strategy(self.alias))
        super().setUp()

    def strategy(self, session: Session) -> ClaimStrategy:
        return get_strategy(session=session)

    def claimed(self, **given: Any) -> tuple[Task, Claim]:
        """A new task, and our claim of it."""
        (task,) = self.add(**given)
        (found,) = self.claim(1)
        assert found.uuid == task.pk
        return task, found

    def finish(self, *claims: Claim, outcome: Outcome = PLAIN_SUCCESS) -> Result:
        return finish(self.session, [(found, outcome) for found in claims])

    def status(self, task: Task) -> int:
        return self.row(task).status

    def values(self, task: Task) -> dict[str, Any]:
        """Every column of the row."""
        return Task._base_manager.using(self.alias).filter(pk=task.pk).values().get()

    def attempts(self, task: Task) -> list[Attempt]:
        return list(Attempt._base_manager.using(self.alias).filter(task_id=task.pk).order_by("id"))


def empty_tables() -> None:
    with connection.cursor() as cursor:
        for model in (Task, Attempt, Worker):
            cursor.execute(f"DELETE FROM {model._meta.db_table}")
