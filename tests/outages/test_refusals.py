"""A database that can be read and not written: its disk is full, or it is read-only as a standby is."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from django_simple_queue.models import Task
from tests.worker.stage import Stage, create, eventually

from .ground import NAME, Ground, ask, on_database
from .judge import SAID, Watched, assert_each_ran_once, await_all
from .small import kilobytes_of, small_file_system

LEASE = 3.0  # as in the workers' settings


def noise(size: int) -> str:
    """A text that no database makes smaller."""
    return random.randbytes(size // 2).hex()


def test_a_full_disk_is_waited_for(ground: Ground, stage: Stage) -> None:
    connection.close()
    ground.process.stop()
    with small_file_system(kilobytes_of(ground.data) + 24 * 1024, of_server=True) as small:
        ground.start_on(small)
        ask(f"TRUNCATE TABLE {Task._meta.db_table}")  # else earlier tests have left room in its file
        workers = [Watched(stage.ready("--processes", "2", "--name", name), 2) for name in ("north", "south")]
        running = [create("wait_for", {"name": "go", "text": noise(60_000)}) for _ in range(4)]
        stage.await_starts(4)
        waiting = [create("run", {"text": noise(60_000)}) for _ in range(24)]
        small.fill()
        stage.let("go")
        eventually(lambda: any(worker.said(SAID) for worker in workers), "a word about the full disk")
        time.sleep(1.2 * LEASE)
        small.make_room()
        await_all(running + waiting)
        assert_each_ran_once(stage, running + waiting)
        for task in Task.objects.all():
            assert task.output == json.loads(task.args)["text"]
        for worker in workers:
            worker.assert_unharmed()
            worker.assert_stops()
        connection.close()
        ground.process.stop()


@contextmanager
def read_only(ground: Ground) -> Iterator[None]:
    if connection.vendor == "postgresql":
        switch, on, off = f"ALTER DATABASE {NAME} SET default_transaction_read_only = ", "on", "off"
    elif connection.mysql_is_mariadb:
        switch, on, off = "SET GLOBAL read_only = ", "ON", "OFF"
    else:
        switch, on, off = "SET GLOBAL super_read_only = ", "ON", "OFF"
    ask(switch + on)
    if connection.vendor == "postgresql":  # a session keeps what it began with, so it ends, as in a failover
        ask(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    try:
        yield
    finally:
        ask(switch + off)
        if connection.vendor == "mysql" and not connection.mysql_is_mariadb:
            ask("SET GLOBAL read_only = OFF")


def test_a_read_only_server_is_waited_for(ground: Ground, stage: Stage) -> None:
    plain = on_database(ground.direct | ground.plain_user())
    workers = [Watched(stage.ready("--processes", "2", "--name", name, **plain), 2) for name in ("north", "south")]
    running = [create("wait_for", {"name": "go", "text": "kept"}) for _ in range(4)]
    stage.await_starts(4)
    waiting = [create("run") for _ in range(10)]
    with read_only(ground):
        stage.let("go")
        for worker in workers:
            eventually(lambda worker=worker: worker.said(SAID), "a word about it")
        time.sleep(1.2 * LEASE)
        assert not Task.objects.filter(status=Task.COMPLETED).exists()
    await_all(running + waiting)
    assert_each_ran_once(stage, running + waiting)
    for worker in workers:
        worker.assert_unharmed()
        worker.assert_stops()
