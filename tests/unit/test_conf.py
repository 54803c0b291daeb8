"""The settings: one frozen object, read again when a test changes one."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from django_simple_queue import conf
from django_simple_queue.conf import get_settings


def test_the_defaults() -> None:
    settings = get_settings()
    assert (settings.max_attempts, settings.retry_backoff) == (1, 10)
    assert (settings.lease_seconds, settings.heartbeat_seconds, settings.max_worker_losses) == (30, 5, 3)
    assert (settings.status_access, settings.claim_strategy, settings.task_timeout) == ("staff", "auto", 3600)
    assert settings.allowed_tasks is settings.database is settings.keep_finished is settings.schedule is None


def test_they_are_read_once_and_again_when_one_changes() -> None:
    before = get_settings()
    assert get_settings() is before
    with override_settings(DJANGO_SIMPLE_QUEUE_MAX_ATTEMPTS=4):
        assert get_settings().max_attempts == 4
        with override_settings(SOMETHING_ELSE=1):
            assert get_settings() is get_settings()
    assert get_settings() == before


def test_nobody_can_change_them() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_settings().max_attempts = 5  # type: ignore[misc]


@pytest.mark.parametrize(("given", "meant"), [(None, None), (0, None), (-1, None), (0.5, 0.5), (60, 60)])
def test_a_timeout_of_nothing_is_none(settings: Any, given: Any, meant: Any) -> None:
    settings.DJANGO_SIMPLE_QUEUE_TASK_TIMEOUT = given
    assert get_settings().task_timeout == meant


def test_a_value_of_a_wrong_type_is_told(settings: Any) -> None:
    settings.DJANGO_SIMPLE_QUEUE_TASK_TIMEOUT = "an hour"
    with pytest.raises(ImproperlyConfigured, match=r"`manage\.py check` says which"):
        get_settings()


def test_times_may_be_timedeltas(settings: Any) -> None:
    settings.DJANGO_SIMPLE_QUEUE_KEEP_FINISHED = datetime.timedelta(days=1)
    assert get_settings().keep_finished == 86_400


def test_a_strategy_for_each_database(settings: Any) -> None:
    assert get_settings().strategy_for("default") == "auto"
    settings.DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY = "compare_and_swap"
    assert get_settings().strategy_for("other") == "compare_and_swap"
    settings.DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY = {"default": "row_lock"}
    assert get_settings().strategy_for("default") == "row_lock"
    assert get_settings().strategy_for("other") == "auto"


def test_the_names_of_0_1_read_them(settings: Any) -> None:
    assert conf.get_allowed_tasks() is None
    settings.DJANGO_SIMPLE_QUEUE_ALLOWED_TASKS = ["a.b", "c.*"]
    settings.DJANGO_SIMPLE_QUEUE_MAX_OUTPUT_SIZE = 5
    settings.DJANGO_SIMPLE_QUEUE_MAX_ARGS_SIZE = 6
    settings.DJANGO_SIMPLE_QUEUE_TASK_TIMEOUT = 7
    assert conf.get_allowed_tasks() == {"a.b", "c.*"}
    assert (conf.get_max_output_size(), conf.get_max_args_size(), conf.get_task_timeout()) == (5, 6, 7)
    assert conf.is_task_allowed("a.b")
    assert conf.is_task_allowed("c.d.e")
    assert not conf.is_task_allowed("a.c")
