"""The tree of processes: who replaces whom, what is handed to programs that tasks start, and what it weighs."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from django.conf import settings as test_settings

from django_simple_queue import create_tasks
from django_simple_queue.models import Task, Worker

from .stage import Stage, alive, await_status, create, eventually, row


def test_a_keeper_that_hangs_is_replaced_within_the_lease(stage: Stage) -> None:
    task = create("wait_for", {"name": "go"})
    worker = stage.ready()
    stage.await_starts(1)
    (before,) = Worker.objects.values_list("id", flat=True)
    keeper = worker.keeper
    os.kill(keeper, signal.SIGSTOP)
    eventually(lambda: worker.named("dsq keeper") not in ([], [keeper]), "another keeper", seconds=10)
    assert not alive(keeper)
    stage.let("go")
    assert await_status(task, Task.COMPLETED).losses == 0
    assert list(Worker.objects.values_list("id", flat=True)) == [before]
    await_status(create("run"), Task.COMPLETED)
    assert worker.stop() == 0


def test_a_keeper_that_dies_again_and_again_is_no_reason_to_spin(stage: Stage) -> None:
    worker = stage.ready()
    seen = set()
    for _ in range(4):
        keeper = eventually(lambda: [pid for pid in worker.named("dsq keeper") if pid not in seen], "a keeper")[0]
        seen.add(keeper)
        os.kill(keeper, signal.SIGKILL)
    await_status(create("run"), Task.COMPLETED)
    assert worker.stop() == 0


def test_runners_that_never_get_to_claim_are_not_replaced_in_a_tight_loop(stage: Stage) -> None:
    worker = stage.ready("--processes", "2", settings={"claim_strategy": "tests.worker.broken.Broken"})
    try:
        first = eventually(lambda: worker.said.count("A runner (PID") >= 2 and worker.said, "their deaths")
        assert first
        deaths = worker.said.count("A runner (PID")
        eventually(lambda: worker.said.count("A runner (PID") > deaths, "more of them")
        assert worker.said.count("A runner (PID") < 12
    finally:
        assert worker.stop() == 0


@pytest.mark.parametrize("threads", ["1", "2"])
def test_programs_that_tasks_start_inherit_nothing(stage: Stage, threads: str) -> None:
    """No connection, no pipe and no signal that is ignored or held back."""
    files, signals = create("open_files_of_a_child"), create("signals_of_a_child")
    stage.burst("--threads", threads)
    assert len((row(files).output or "").split()) <= 4  # its streams, and the folder that it reads
    masks = dict(line.split(":\t") for line in (row(signals).output or "").splitlines())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
        for mask in masks.values():
            assert not int(mask, 16) & (1 << (number - 1)), (number, masks)


NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


def can_have_a_namespace() -> bool:
    try:
        return subprocess.run([*NAMESPACE, "true"], capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.mark.skipif(not can_have_a_namespace(), reason="needs a PID namespace")
def test_it_obeys_as_process_1_of_a_container(stage: Stage) -> None:
    task = create("wait_for", {"name": "go"})
    worker = stage.worker(launcher=NAMESPACE)
    stage.await_starts(1)
    assert stage.notes("start")[0][0] < 100  # a number of the namespace
    (first,) = [pid for pid in worker.descendants() if b"task_worker" in command(pid) and inner(pid) == "1"]
    os.kill(first, signal.SIGTERM)
    stage.let("go")
    worker.wait()
    assert (row(task).status, row(task).losses) == (Task.COMPLETED, 0)
    assert not Worker.objects.exists()
    assert not worker.crashes, worker.said


def command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def inner(pid: int) -> str:
    """The id that a process has in its own namespace."""
    (line,) = [x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("NSpid")]
    return line.split()[-1]


LEAN = {
    "INSTALLED_APPS": ["django.contrib.contenttypes", "django_simple_queue", "tests.jobs"],
    "MIDDLEWARE": [],
    "TEMPLATES": [],
    "ROOT_URLCONF": None,
}


def test_memory_of_a_lean_worker_does_not_grow(stage: Stage) -> None:
    """Printed; the bound is generous, since an interpreter that others map as well weighs less."""
    worker = stage.ready("--name", "lean", settings=LEAN)
    enqueue(2_000)
    before = weight(worker.pid, *worker.descendants())
    enqueue(20_000)
    after = weight(worker.pid, *worker.descendants())
    print(f"PSS of a lean worker with one runner: {before:.1f} MB; 20,000 tasks later: {after:.1f} MB")
    assert worker.stop() == 0
    assert after - before < 5
    assert after < 100


def enqueue(count: int) -> None:
    create_tasks([{"task": "tests.jobs.tasks.noop"}] * count)
    eventually(lambda: not Task.objects.exclude(status=Task.COMPLETED).exists(), "all of them", seconds=60)


def weight(*pids: int) -> float:
    """Proportional set size in MB."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def test_a_worker_with_lean_settings_needs_nothing_of_the_rest(stage: Stage) -> None:
    assert "django.contrib.admin" in test_settings.INSTALLED_APPS
    task = create("run", {"text": "ran"})
    stage.burst(settings=LEAN)
    assert row(task).output == "ran"
