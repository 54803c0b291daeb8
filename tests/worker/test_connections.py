"""What a worker does to its database server, and what the server may do to it."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest
from django.db import connection, transaction

from django_simple_queue.models import Task

from .stage import Process, Stage, await_status, connections_of_others, cpu_seconds, create, eventually, row

has_server = pytest.mark.skipif(
    connection.vendor not in ("postgresql", "mysql"), reason="looks at the server's own list of sessions"
)
OPEN_TRANSACTIONS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
    " ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE() AND p.id <> CONNECTION_ID()",
}
# InnoDB makes its list of transactions anew only if nobody has read it for 0.1 s: who asks more often sees an old one.
TRX_LIST_KEPT = 0.3
CUT = {"postgresql": "SELECT pg_terminate_backend(%s)", "mysql": "KILL %s"}
# After a second of silence the server hangs up.
IMPATIENT = {
    "postgresql": {"options": "-c idle_session_timeout=1000"},
    "mysql": {"init_command": "SET SESSION wait_timeout = 1"},
}


def ask(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def cut_all() -> None:
    for key in connections_of_others():
        with connection.cursor() as cursor:
            cursor.execute(CUT[connection.vendor], [key])


@has_server
def test_a_worker_has_one_connection_and_one_for_each_runner(stage: Stage) -> None:
    """And a task's own only while it runs."""
    tasks = [create("asks_the_database") for _ in range(4)]
    worker = stage.ready("--processes", "2")
    for task in tasks:
        await_status(task, Task.COMPLETED)
    eventually(lambda: len(list(connections_of_others())) == 3, "three connections")
    assert worker.stop() == 0
    eventually(lambda: not list(connections_of_others()), "none")


@has_server
@pytest.mark.parametrize("threads", ["1", "2"])
def test_no_transaction_is_open_while_a_task_runs(stage: Stage, threads: str) -> None:
    task = create("wait_for", {"name": "go"})
    worker = stage.ready("--threads", threads)
    stage.await_starts(1)
    # One of the task's or its runner's would stay open until the task may go on; the keeper's last a moment.
    eventually(lambda: ask(OPEN_TRANSACTIONS[connection.vendor]) == 0, "no open transaction", pause=TRX_LIST_KEPT)
    stage.let("go")
    await_status(task, Task.COMPLETED)
    assert worker.stop() == 0


@has_server
@pytest.mark.parametrize("threads", ["1", "2"])
def test_cut_connections_cost_nothing(stage: Stage, threads: str) -> None:
    running = create("wait_for", {"name": "go", "text": "kept"})
    worker = stage.ready("--threads", threads, "--processes", "2")
    stage.await_starts(1)
    cut_all()
    stage.let("go")
    assert await_status(running, Task.COMPLETED).output == "kept"
    for _ in range(3):
        cut_all()
        await_status(create("asks_the_database"), Task.COMPLETED)
    assert worker.stop() == 0
    assert set(stage.starts().values()) == {1}
    assert not worker.crashes, worker.said


@has_server
def test_connections_cut_just_before_the_end_leave_nothing_behind(stage: Stage) -> None:
    task = create("wait_for", {"name": "go"})
    worker = stage.ready(settings={"heartbeat_seconds": 20, "lease_seconds": 60})
    stage.await_starts(1)
    worker.popen.send_signal(signal.SIGTERM)
    cut_all()
    stage.let("go")
    assert worker.wait() == 0
    assert (row(task).status, row(task).losses, row(task).holder) == (Task.COMPLETED, 0, None)


@has_server
def test_a_server_that_hangs_up_on_the_idle_costs_nothing(stage: Stage) -> None:
    databases = json.loads(stage.environment["DSQ_TEST_DATABASES_JSON"])
    databases["default"]["OPTIONS"] |= IMPATIENT[connection.vendor]
    worker = stage.ready(DSQ_TEST_DATABASES_JSON=json.dumps(databases))
    time.sleep(1.5)
    await_status(create("run"), Task.COMPLETED, seconds=10)
    assert worker.stop() == 0
    assert not worker.crashes, worker.said


@pytest.mark.skipif(not connection.features.has_select_for_update, reason="no row can be locked here")
def test_a_result_that_is_held_up_outlives_its_runner_and_holds_up_nobody(stage: Stage) -> None:
    """Somebody's open transaction has locked the row: a task with a unique key is finished when it lets go."""
    held_up = create("wait_for", {"name": "go", "text": "kept"}, unique_key="one")
    worker = stage.ready(settings={"lease_seconds": 30})
    stage.await_starts(1)
    with transaction.atomic():
        Task.objects.select_for_update().get(pk=held_up.pk)
        stage.let("go")
        eventually(lambda: stage.notes("end"), "its end")
        # Another connection's rows are not seen from this transaction on every database: ask the evidence.
        stage.command("shell", "-c", "from tests.worker.stage import create; create('run')").wait()
        eventually(lambda: len(stage.starts()) == 2, "another task")
        os.kill(worker.runner, signal.SIGKILL)
        time.sleep(1.5)  # longer than the queue waits for a row
    assert await_status(held_up, Task.COMPLETED).output == "kept"
    assert worker.stop() == 0
    assert stage.starts()[str(held_up.id)] == 1
    assert row(held_up).losses == 0


# -- a database that is not there ------------------------------------------------------------------------------------


@pytest.fixture
def nowhere(stage: Stage) -> str:
    """Where nothing can be connected to."""
    databases = json.loads(stage.environment["DSQ_TEST_DATABASES_JSON"])
    if connection.vendor == "sqlite":
        databases["default"]["NAME"] = str(stage.folder / "missing" / "db.sqlite3")
    else:
        databases["default"] |= {"HOST": "127.0.0.1", "PORT": "1"}
    return json.dumps(databases)


def test_a_missing_database_is_waited_for_quietly(stage: Stage, nowhere: str) -> None:
    worker = stage.worker("--processes", "2", DSQ_TEST_DATABASES_JSON=nowhere)
    eventually(lambda: "Waiting for it" in worker.said, "a word about it")
    before = cpu_of(worker)
    time.sleep(2)
    used = cpu_of(worker) - before
    assert worker.said.count("Waiting for it") == 1, worker.said
    assert worker.stop(seconds=5) == 0
    assert not worker.crashes, worker.said
    assert used < 0.4


def test_an_idle_worker_uses_little(stage: Stage) -> None:
    worker = stage.ready("--processes", "2")
    time.sleep(0.5)
    before = cpu_of(worker)
    time.sleep(2)
    used = cpu_of(worker) - before
    assert worker.stop() == 0
    assert used < 0.4


def cpu_of(worker: Process) -> float:
    return sum(cpu_seconds(pid) for pid in [worker.pid, *worker.descendants()])
