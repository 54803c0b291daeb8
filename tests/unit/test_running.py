"""run_tasks(): what tasks leave in their rows, and who hears of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.dispatch import Signal
from django.test import override_settings

from django_simple_queue import create_task, signals, worker
from django_simple_queue.models import Attempt, Task
from django_simple_queue.testing import run_task, run_tasks

pytestmark = pytest.mark.django_db
JOBS = "tests.jobs.running."


def run(name: str, /, **args: Any) -> Task:
    task_id = create_task(JOBS + name, args)
    assert run_tasks() == 1
    return Task.objects.get(id=task_id)


@pytest.fixture
def heard() -> Iterator[list[tuple[str, Any]]]:
    """What every signal said, in order."""
    said: list[tuple[str, Any]] = []
    receivers: list[tuple[Signal, Callable[..., None]]] = []
    for name in ("before_job", "before_loop", "after_loop", "on_success", "on_failure"):

        def receiver(sender: object, name: str = name, **more: Any) -> None:
            what = more.get("error", more.get("output", more.get("iteration", more["task"].status)))
            said.append((name, what))

        signal = getattr(signals, name)
        signal.connect(receiver, weak=False)
        receivers.append((signal, receiver))
    yield said
    for signal, receiver in receivers:
        signal.disconnect(receiver)


def test_a_return_value_is_text_and_none_is_null() -> None:
    assert run("give", value={"a": 1}).output == str({"a": 1})
    assert run("give", value=None).output is None


def test_log_is_null_unless_the_task_said_something() -> None:
    assert run("give", value=1).log is None
    log = run("talk").log or ""
    assert "printed" in log
    assert "to stderr" in log
    assert "tests.jobs.running WARNING logged" in log


def test_a_failure_keeps_its_error_its_log_and_what_was_yielded() -> None:
    task = run("yield_and_fail")
    assert (task.status, task.output) == (Task.FAILED, "one two ")
    assert task.error.startswith("ValueError('three')\n\n")
    assert "Traceback" in task.error
    assert (task.log or "").startswith("before")
    assert list(Attempt.objects.values_list("task_id", "number", "kind")) == [(task.id, 1, "error")]


def test_a_plain_failure_has_empty_output() -> None:
    assert run("fail").output == ""


@pytest.mark.parametrize(("name", "output"), [("wait", "awaited"), ("count", "0 1 2 "), ("count_async", "0 1 2 ")])
def test_coroutines_and_generators(name: str, output: str) -> None:
    assert run(name).output == output


def test_a_yield_that_is_no_text_fails_the_task() -> None:
    assert "it yielded 1" in (run("yield_a_number").error or "")


def test_exits_and_interrupts_end_the_task_alone() -> None:
    task = run("leave")
    assert (task.status, "SystemExit" in (task.error or "")) == (Task.FAILED, True)
    create_task(JOBS + "interrupt")
    with pytest.raises(KeyboardInterrupt):
        run_tasks()
    assert Task.objects.filter(task=JOBS + "interrupt", status=Task.FAILED).exists()


def test_what_no_database_takes_is_replaced() -> None:
    assert run("give", value="a\0b\ud800").output == "a\ufffdb?"


@override_settings(DJANGO_SIMPLE_QUEUE_MAX_OUTPUT_SIZE=100)
def test_long_output_is_cut_and_says_so() -> None:
    output = run("give", value="ü" * 500).output or ""
    assert len(output.encode()) <= 100
    assert output.splitlines()[-1].startswith("[cut: ")


@pytest.mark.parametrize(
    ("name", "args", "said"),
    [
        ("give", "{nonsense", "no JSON"),
        ("give", "[1]", "JSON object"),
        ("nowhere", "{}", "nowhere"),
        ("not_callable", "{}", "not callable"),
    ],
)
def test_bad_rows_fail_with_a_reason(name: str, args: str, said: str) -> None:
    task = Task.objects.create(task=JOBS + name, args=args)
    run_tasks()
    task.refresh_from_db()
    assert task.status == Task.FAILED
    assert said in (task.error or "")


@pytest.mark.parametrize("args", [None, ""])
def test_no_arguments_are_an_empty_dict(args: str | None) -> None:
    task = Task.objects.create(task=JOBS + "give", args=args)
    run_tasks()
    task.refresh_from_db()
    assert task.status == Task.COMPLETED


def test_signals_in_the_life_of_a_task(heard: list[tuple[str, Any]]) -> None:
    run("give", value=1)
    assert heard == [("before_job", Task.PROGRESS), ("on_success", Task.COMPLETED)]


def test_signals_of_a_generator(heard: list[tuple[str, Any]]) -> None:
    run("count")
    loops = [("before_loop", 0), ("after_loop", "0 "), ("before_loop", 1), ("after_loop", "1 ")]
    assert heard[1:5] == loops


def test_on_failure_comes_once_the_task_has_failed_for_good(heard: list[tuple[str, Any]]) -> None:
    create_task(JOBS + "fail", max_attempts=2)
    run_tasks()
    assert [name for name, _ in heard] == ["before_job"]
    Task.objects.update(status=Task.QUEUED, run_after=None)
    run_tasks()
    assert [name for name, _ in heard] == ["before_job", "before_job", "on_failure"]
    assert isinstance(heard[-1][1], ValueError)


def test_an_exception_before_the_job_fails_it_and_one_after_changes_nothing() -> None:
    def refuse(sender: object, **more: Any) -> None:
        raise RuntimeError("refused")

    signals.before_job.connect(refuse)
    try:
        assert "refused" in (run("give").error or "")
    finally:
        signals.before_job.disconnect(refuse)
    signals.on_success.connect(refuse)
    try:
        assert run("give").status == Task.COMPLETED
    finally:
        signals.on_success.disconnect(refuse)


def test_a_completed_task_shows_no_error_of_an_earlier_run() -> None:
    task = run("fail")
    Task.objects.filter(pk=task.pk).update(status=Task.QUEUED, task=JOBS + "give")
    run_tasks()
    task.refresh_from_db()
    assert (task.status, task.error, task.attempt) == (Task.COMPLETED, None, 0)


def test_declared_exceptions_decide_on_further_attempts() -> None:
    for name, status in (("worth_it", Task.SCHEDULED), ("hopeless", Task.FAILED), ("not_worth_it", Task.FAILED)):
        task_id = create_task(JOBS + name, max_attempts=5)
        run_tasks()
        assert Task.objects.get(id=task_id).status == status, name


def test_an_atomic_task_that_fails_has_written_nothing() -> None:
    assert run("write_and_fail").status == Task.FAILED
    assert run("write").status == Task.COMPLETED
    assert Attempt.objects.filter(kind="effect").count() == 1


def test_one_task_can_be_run_by_its_id() -> None:
    first, second = create_task(JOBS + "give"), create_task(JOBS + "give")
    assert run_task(second) is True
    assert run_task(second) is False
    with pytest.deprecated_call():
        worker.execute_task(first)
    assert set(Task.objects.values_list("status", flat=True)) == {Task.COMPLETED}
