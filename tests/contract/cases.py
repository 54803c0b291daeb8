"""The base of tests that commit what they write, since several connections take part."""

from __future__ import annotations

from django.db import connection
from django.test import TransactionTestCase

from django_simple_queue.models import Attempt, Task, Worker


class DatabaseCase(TransactionTestCase):
    """A TransactionTestCase that empties three tables behind each test instead of flushing all of them."""

    def _fixture_teardown(self) -> None:
        empty_tables()


def empty_tables() -> None:
    with connection.cursor() as cursor:
        for model in (Task, Attempt, Worker):
            cursor.execute(f"DELETE FROM {model._meta.db_table}")
