"""However tasks are added, one by one or many at once, heard or not, the rows are the same."""

from __future__ import annotations

import datetime
import time
import uuid
from typing import Any
from unittest import mock

from django.db import connection
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisCase

from django_simple_queue.backends import Session
from django_simple_queue.backends.bulk import CHUNK
from django_simple_queue.models import Task
from django_simple_queue.queue.enqueue import enqueue, enqueue_many
from django_simple_queue.queue.ids import new_id
from django_simple_queue.validation import NewTask

from .cases import DatabaseCase

# What a unique key makes of the row, and what no two rows share.
OWN = {"id", "seq", "created", "modified", "unique_key", "unique_slot"}
NEAR = datetime.timedelta(seconds=30)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)


def new(**given: Any) -> NewTask:
    return NewTask(**({"task": "contract.task", "args": "{}"} | given))


def values(task: Task) -> dict[str, Any]:
    return {field.name: getattr(task, field.name) for field in Task._meta.fields if field.name not in OWN}


def ways(one: NewTask) -> dict[str, Task]:
    """The row of a task added in each way."""

    def hear(**kwargs: Any) -> None:
        pass

    session = Session()
    ids = {"one": enqueue(session, one), "many": enqueue_many(session, [one])[0]}
    ids["unique"] = enqueue(session, one._replace(unique_key="key"))
    post_save.connect(hear, sender=Task)
    try:
        ids["heard"] = enqueue(session, one)
    finally:
        post_save.disconnect(hear, sender=Task)
    with connection.execute_wrapper(lambda execute, *args: execute(*args)):
        ids["watched"] = enqueue_many(session, [one])[0]
    return {way: Task.objects.get(pk=key) for way, key in ids.items()}


class TestEnqueue(DatabaseCase):
    def test_every_way_gives_the_same_row(self) -> None:
        later, before = timezone.now() + datetime.timedelta(days=1), timezone.now() - datetime.timedelta(days=1)
        for one in (
            new(),
            new(queue="q", priority=7, max_attempts=3, timeout=1.5),
            new(run_after=later, expires=later + NEAR),
            new(run_after=before),
        ):
            rows = ways(one)
            for way, row in rows.items():
                assert values(row) == values(rows["heard"]), way
            Task.objects.all().delete()

    def test_what_counts_from_now_counts_from_the_databases_clock(self) -> None:
        day = datetime.timedelta(days=1)
        with mock.patch("django.utils.timezone.now", return_value=timezone.now() - 7 * day):
            rows = ways(new(run_after=day, expires=2 * day))
        for way, row in rows.items():
            assert abs(row.run_after - timezone.now() - day) < NEAR, way
            assert abs(row.expires - timezone.now() - 2 * day) < NEAR, way
            assert row.status == Task.SCHEDULED, way

    def test_many_keep_their_order_whatever_they_need(self) -> None:
        news = [
            new(args=str(n), unique_key=str(n) if n % 5 == 1 else None, run_after=-NEAR if n % 7 == 2 else None)
            for n in range(CHUNK + 50)
        ]
        ids = enqueue_many(Session(), news)
        found = Task.objects.order_by("seq").values_list("id", "args")
        assert list(found) == [(key, str(n)) for n, key in enumerate(ids)]

    def test_whoever_watches_a_connections_statements_sees_an_insert(self) -> None:
        seen = []

        def watch(execute: Any, sql: str, *args: Any) -> Any:
            seen.append(sql)
            return execute(sql, *args)

        with connection.execute_wrapper(watch):
            enqueue_many(Session(), [new()])
        assert any(sql.startswith("INSERT INTO django_simple_queue_task") for sql in seen)

    def test_ids_are_made_in_the_order_of_time_where_that_pays(self) -> None:
        session = Session()
        by_time = connection.vendor != "mysql" or connection.features.has_native_uuid_field
        moments = []
        for _ in range(3):
            moments.append(list(ways(new()).values()))
            time.sleep(0.002)  # an id says no more than milliseconds for sure
        ids = [[row.id for row in rows] for rows in moments]
        assert {key.version for keys in ids for key in keys} == {7 if by_time else 4}
        assert {key.variant for keys in ids for key in keys} == {uuid.RFC_4122}
        if by_time:
            assert max(ids[0]) < max(ids[1]) < max(ids[2])
            assert abs((ids[0][0].int >> 80) / 1000 - time.time()) < NEAR.total_seconds()
        assert len({new_id(session) for _ in range(1000)}) == 1000

    def test_one_task_is_one_statement(self) -> None:
        with CaptureQueriesContext(connection) as captured:
            enqueue(Session(), new())
        assert len(captured) == 1


class TestTexts(HypothesisCase):
    @settings(max_examples=25, deadline=None)
    @given(args=TEXT, queue=TEXT)
    @example(args="\\N", queue="\\.")
    @example(args="a\tb\nc\rd\\te\\", queue="'%s\"")
    def test_text_is_kept_as_it_is(self, args: str, queue: str) -> None:
        for way, row in ways(new(args=args, queue=queue)).items():
            assert (row.args, row.queue) == (args, queue), way
