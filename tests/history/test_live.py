"""Real workers: one that keeps the rules passes, one in which a rule was broken does not."""

from __future__ import annotations

import signal
import sys

import pytest

from django_simple_queue.models import Task
from tests.model import onlooker
from tests.model.rules import Rules
from tests.settings import INSTALLED_APPS
from tests.worker.stage import Stage, await_status, create, eventually, row

from .check import Verdict, check
from .events import read
from .facts import LEASED
from .rows import final_rows

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the processes of a worker by /proc")
LEASE = 1.5
SETTINGS = {
    "INSTALLED_APPS": [*INSTALLED_APPS, "tests.history.record.Recording", "tests.history.broken.Broken"],
    "lease_seconds": LEASE,
    "heartbeat_seconds": 0.25,
}


def verdict(stage: Stage) -> Verdict:
    return check(read(stage.folder / "history"), final_rows(), Rules(max_losses=3, max_attempts=1), LEASE)


def test_a_worker_that_was_suspended_and_came_back_keeps_the_rules(stage: Stage) -> None:
    """It ends its run of a task that another one has begun meanwhile."""
    task = create("wait_for", {"name": "go"})
    late = stage.ready(settings=SETTINGS)
    stage.await_starts(1)
    late.signal_tree(signal.SIGSTOP)
    stage.ready(settings=SETTINGS)
    stage.await_starts(2)
    stage.let("go")
    late.signal_tree(signal.SIGCONT)
    await_status(task, Task.COMPLETED)
    eventually(lambda: len(stage.notes("end")) == 2, "both ends")
    for process in stage.processes:
        assert process.stop() == 0
    found = verdict(stage)
    assert found.forbidden == []
    assert found.tasks == 1
    assert found.events > 20


def test_a_finish_without_holder_is_found_out(stage: Stage) -> None:
    task = create("wait_for", {"name": "go"})
    late = stage.ready(settings=SETTINGS, DSQ_BREAK="finish_without_holder")
    stage.await_starts(1)
    late.signal_tree(signal.SIGSTOP)
    stage.ready(settings=SETTINGS)
    stage.await_starts(2)
    holder = row(task).holder
    # Only the late one goes on: what it waited for is there, and the other one is suspended in turn.
    stage.processes[1].signal_tree(signal.SIGSTOP)
    stage.let("go")
    late.signal_tree(signal.SIGCONT)
    eventually(lambda: row(task).holder != holder, "a finish that takes the other's claim away")
    stage.processes[1].signal_tree(signal.SIGCONT)
    for process in stage.processes:
        process.stop()
    assert any(onlooker.STALE in told for told in verdict(stage).forbidden)


def test_a_rescue_of_the_living_is_found_out(stage: Stage) -> None:
    create("wait_for", {"name": "go"})
    stage.ready(settings=SETTINGS)
    stage.await_starts(1)
    stage.ready(settings=SETTINGS, DSQ_BREAK="rescue_of_the_living")
    stage.await_starts(2)
    stage.let("go")
    for process in stage.processes:
        process.stop()
    assert any(LEASED in told for told in verdict(stage).forbidden)
