"""Through PgBouncer in transaction mode, where each transaction may have another server connection."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection

from compat_matrix.errors import ServerError
from compat_matrix.pgbouncer import LOCALHOST, Pooler, pgbouncer
from django_simple_queue import create_task, create_tasks
from django_simple_queue.models import Task, Worker
from tests.outages.ground import working_on

from .stage import PATIENCE, Stage, await_status, create, eventually, nothing_held

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="PgBouncer pools PostgreSQL's connections")


@pytest.fixture(scope="module")
def pooler() -> Iterator[Pooler]:
    given = connection.settings_dict
    user = ":".join(quote(str(given[name]), safe="") for name in ("USER", "PASSWORD") if given[name])
    url = f"postgres://{user}@{given['HOST'] or LOCALHOST}:{given['PORT'] or 5432}/postgres"
    try:
        with pgbouncer(url) as running:
            yield running
    except ServerError as error:
        pytest.skip(f"no PgBouncer: {error}")


@pytest.fixture
def pooled(stage: Stage, pooler: Pooler) -> dict[str, Any]:
    """The test's database, by way of the pooler."""
    direct = json.loads(stage.environment["DSQ_TEST_DATABASES_JSON"])["default"]
    return {**direct, "HOST": LOCALHOST, "PORT": pooler.port, "DISABLE_SERVER_SIDE_CURSORS": True}


def through(pooled: dict[str, Any]) -> dict[str, str]:
    """The environment of a process that is to use it."""
    return {"DSQ_TEST_DATABASES_JSON": json.dumps({"default": pooled})}


@contextmanager
def never_idle() -> Iterator[None]:
    """The database refuses to hear that a worker is idle."""
    table = Worker._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT never_idle CHECK (NOT idle)")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT never_idle")


def test_a_worker_says_so_and_looks_for_work(stage: Stage, pooled: dict[str, Any]) -> None:
    worker = stage.ready("--processes", "2", **through(pooled))
    assert "looks for work every" in worker.said
    assert "a pooler keeps notifications from it" in worker.said
    create_tasks({"task": "tests.jobs.evidence.run", "args": {"text": "an output"}} for _ in range(500))
    failing = create("tests.jobs.tasks.fail")
    await_status(failing, Task.FAILED)
    eventually(lambda: Task.objects.filter(status=Task.COMPLETED, output="an output").count() == 500, "all of them")
    assert set(stage.starts().values()) == {1}
    assert worker.stop() == 0
    assert not worker.crashes
    assert nothing_held()


def test_a_worker_never_says_that_it_is_idle(stage: Stage, pooled: dict[str, Any]) -> None:
    """Its listening connection would be anybody's, and every enqueue would notify for nothing."""
    with never_idle():
        worker = stage.ready(**through(pooled))
        for _ in range(3):
            await_status(create("run"), Task.COMPLETED)
        assert Worker.objects.count() == 1
        assert worker.stop() == 0
    assert not worker.crashes


def test_a_restart_of_the_pooler_costs_nothing(stage: Stage, pooled: dict[str, Any], pooler: Pooler) -> None:
    running = create("wait_for", {"name": "go", "text": "kept"})
    worker = stage.ready(**through(pooled))
    stage.await_starts(1)
    pooler.process.stop()
    time.sleep(1)  # long enough for the worker to find it gone, short of a lease
    pooler.process.start()
    stage.let("go")
    assert await_status(running, Task.COMPLETED).output == "kept"
    await_status(create("run"), Task.COMPLETED)
    assert worker.stop() == 0
    assert set(stage.starts().values()) == {1}
    assert not worker.crashes
    assert nothing_held()


def test_what_is_enqueued_through_it_wakes_a_worker_that_goes_directly(stage: Stage, pooled: dict[str, Any]) -> None:
    worker = stage.ready("--poll-interval", "60")
    assert "is woken by NOTIFY" in worker.said
    eventually(lambda: Worker.objects.filter(idle=True).exists(), "an idle worker")
    end = time.monotonic() + PATIENCE  # for all of them: a runner alone looks every few seconds only
    for _ in range(20):
        with working_on(pooled):
            key = create_task("tests.jobs.evidence.run")
        await_status(Task(pk=key), Task.COMPLETED, seconds=end - time.monotonic())
    assert worker.stop() == 0


def test_the_doctor_mentions_it(stage: Stage, pooled: dict[str, Any]) -> None:
    direct = stage.command("task_doctor", "--json")
    process = stage.command("task_doctor", "--json", **through(pooled))
    assert (direct.wait(), process.wait()) == (0, 0), process.said
    assert not any("pooler" in finding["what"] for finding in findings(direct.said))
    (found,) = (finding for finding in findings(process.said) if "pooler" in finding["what"])
    assert found["level"] == "info"


def findings(said: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(said)["databases"]["default"]["findings"]
    return found
