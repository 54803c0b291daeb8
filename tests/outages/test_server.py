"""The server goes away and comes back: stopped for long, killed, replaced by one with another clock."""

from __future__ import annotations

import time
from datetime import timedelta

from django.db import connection

from django_simple_queue.backends.health import health_of
from django_simple_queue.models import Task
from tests.worker.stage import Stage, create, eventually

from .ground import Ground
from .judge import SAID, Watched, assert_each_ran_once, await_all

LEASE = 3.0  # as in the workers' settings


def two_workers(stage: Stage) -> list[Watched]:
    """Two, so that each could take the other for dead."""
    return [Watched(stage.ready("--processes", "2", "--name", name), 2) for name in ("north", "south")]


def test_an_outage_of_three_leases_costs_nothing(ground: Ground, stage: Stage) -> None:
    """Results wait to be stored, tasks go on, and nobody takes anybody for dead."""
    workers = two_workers(stage)
    running = [create("wait_for", {"name": "early" if i % 2 else "late", "text": f"result {i}"}) for i in range(4)]
    stage.await_starts(4)
    waiting = [create("run") for _ in range(10)]
    connection.close()
    ground.process.stop()
    for worker in workers:
        eventually(lambda worker=worker: worker.said(SAID), "a word about it while all runners are busy")
    stage.let("early")
    eventually(lambda: len(stage.notes("end")) == 2, "two results")
    time.sleep(3.3 * LEASE)
    ground.start()
    stage.let("late")
    await_all(running + waiting)
    time.sleep(1.2 * LEASE)  # whoever were taken for dead now would be so for what happened then
    assert_each_ran_once(stage, running + waiting)
    for worker in workers:
        worker.assert_unharmed()
        worker.assert_stops()


def test_a_killed_server_and_one_with_another_clock_cost_nothing(ground: Ground, stage: Stage) -> None:
    """A crash, then a failover behind the same address to a server that is an hour ahead, and back."""
    workers = two_workers(stage)
    tasks: list[Task] = []
    for number, clock in enumerate([None, "+1h", None]):
        running = [create("wait_for", {"name": f"go{number}"}) for _ in range(3)]  # of four runners
        stage.await_starts(len(tasks) + 3)
        connection.close()
        ground.process.kill()
        time.sleep(1.0)
        ground.start(clock=clock)
        assert round(health_of(connection, Task._meta.db_table).clock_ahead()) == (3600 if clock else 0)
        stage.let(f"go{number}")
        running.append(create("run", run_after=timedelta(seconds=0.3)))
        await_all(running)
        tasks += running
    time.sleep(1.2 * LEASE)
    assert_each_ran_once(stage, tasks)
    for worker in workers:
        worker.assert_unharmed(outages=3)
        worker.assert_stops()
