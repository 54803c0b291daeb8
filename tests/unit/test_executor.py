"""From a claim to an outcome: whatever user code does, an outcome comes and the process is as it was."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import ConnectionHandler
from django.test import override_settings

from django_simple_queue.records import PLAIN_SUCCESS, Claim, Outcome
from django_simple_queue.states import COMPLETED, FAILED
from django_simple_queue.worker import capture, executor

DISORDER = "tests.jobs.disorder."


@pytest.fixture(autouse=True)
def no_connections_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process's own are not to be put in order here: a runner's are its tasks' alone."""
    monkeypatch.setattr("django_simple_queue.worker.executor.connections", ConnectionHandler())


@pytest.fixture
def shown() -> list[str]:
    return []


@pytest.fixture
def run(shown: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Outcome]]:
    monkeypatch.setenv("DSQ_EVIDENCE", str(tmp_path))
    runs = executor.Executor("default", show=lambda claim, text: shown.append(text), atomically=_no_database)

    def run(task: str, /, **args: Any) -> Outcome:
        name = task if "." in task else DISORDER + task
        claim = Claim(uuid.uuid4(), name, json.dumps(args), "default", 0, 1, 0, 0, None, None, False, 1)
        with capture.installed():
            return runs.run(claim, lambda: False)

    yield run
    if runs.loop:
        runs.loop.close()
    asyncio.set_event_loop(None)


def _no_database(alias: str, claim: Claim, call: Callable[[], Outcome]) -> Outcome:
    return call()


def test_nothing_said_and_nothing_returned_is_the_plain_success(run: Callable[..., Outcome]) -> None:
    assert run("tests.jobs.tasks.noop") is PLAIN_SUCCESS


@pytest.mark.parametrize("name", ["raises_what_has_no_repr", "returns_what_has_no_str"])
def test_an_object_that_cannot_be_told_fails_its_task_alone(run: Callable[..., Outcome], name: str) -> None:
    outcome = run(name)
    assert outcome.status == FAILED
    assert "no words" in (outcome.error or "") or "repr() raises RuntimeError" in (outcome.error or "")


@override_settings(DJANGO_SIMPLE_QUEUE_TASK_TIMEOUT=None)
def test_a_timeout_that_a_task_raises_itself_fails_it(run: Callable[..., Outcome]) -> None:
    assert run("raises_a_timeout_itself").kind == "timeout"


def test_what_is_no_text_is_refused_as_a_real_stream_does(run: Callable[..., Outcome]) -> None:
    assert (run("writes_bytes").error or "").startswith("TypeError")


def test_a_wrong_call_of_logging_fails_no_task(run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])  # pytest's own raise
    outcome = run("logs_wrongly")
    assert (outcome.status, outcome.output) == (COMPLETED, "went on")
    assert "Logging error" in (outcome.log or "")


def test_stdout_stderr_and_logging_come_to_the_log_in_order(run: Callable[..., Outcome]) -> None:
    lines = (run("speaks_everywhere").log or "").splitlines()
    assert lines[:4] == ["to stdout", "to stderr", "a", "b"]
    assert lines[4].endswith("shop WARNING logged")


def test_each_run_has_a_log_of_its_own(run: Callable[..., Outcome]) -> None:
    assert run("says", text="first").log == "first\n"
    assert run("says", text="second").log == "second\n"
    assert run("tests.jobs.tasks.noop").log is None


@override_settings(DJANGO_SIMPLE_QUEUE_MAX_OUTPUT_SIZE=200)
def test_a_long_log_is_cut_and_never_held_whole(run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    end = capture.Said.append

    def append(said: capture.Said, text: str) -> None:
        end(said, text)
        held.append(sum(map(len, said)))

    monkeypatch.setattr(capture.Said, "append", append)
    log = run("says", text="x" * 50, times=1000).log or ""
    assert max(held) <= 201
    assert len(log.encode()) <= 200
    assert log.splitlines()[-1].startswith("[cut: ")


def test_nul_and_surrogates_are_replaced_in_the_log(run: Callable[..., Outcome]) -> None:
    assert run("says", text="a\0b\ud800").log == "a\ufffdb?\n"


def test_language_and_time_zone_are_reset(run: Callable[..., Outcome]) -> None:
    before = run("sets_language_and_zone").output
    assert run("sets_language_and_zone").output == before


def test_a_coroutine_left_behind_is_ended(run: Callable[..., Outcome]) -> None:
    assert [run("leaves_a_coroutine_behind").output for _ in range(2)] == ["1", "1"]


def test_two_thousand_yields_are_not_shown_two_thousand_times(run: Callable[..., Outcome], shown: list[str]) -> None:
    outcome = run("yields_what_it_says", count=2000)
    assert (outcome.output or "").split() == [str(i) for i in range(2000)]
    assert len(shown) <= 5


def test_an_asynchronous_generator_gives_all_of_its_parts(run: Callable[..., Outcome]) -> None:
    assert run("gives_asynchronously", count=3).output == "0 1 2 "


def test_a_folder_that_was_removed_fails_no_task(
    run: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a deployment removes the release that a worker was started from."""
    gone = tmp_path / "release-1"
    gone.mkdir()
    monkeypatch.chdir(gone)
    runs = executor.Executor("default", show=lambda claim, text: None, atomically=_no_database)
    gone.rmdir()
    claim = Claim(uuid.uuid4(), "tests.jobs.tasks.echo", '{"value": 1}', "default", 0, 1, 0, 0, None, None, False, 1)
    assert runs.run(claim, lambda: False).output == "1"
    assert executor.Executor("default", show=lambda claim, text: None, atomically=_no_database).folder is None
    os.chdir(tmp_path)
