"""What may be enqueued: every wrong argument is refused with its name, its value and what would be right."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_simple_queue.exceptions import TaskNotAllowedError
from django_simple_queue.validation import CHECKS, NewTask, arguments, new_task

UTC = datetime.timezone.utc


class Unpicklable:
    pass


ITSELF: dict[str, Any] = {}
ITSELF["again"] = ITSELF


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"x": value}
    return value


# Arguments of the task


@pytest.mark.parametrize("args", [None, [], (), "{}", 7, {"set"}])
def test_args_must_be_a_dict(args: Any) -> None:
    with pytest.raises(TypeError, match=r"^args should be of type dict\.$"):
        arguments(args)


@pytest.mark.parametrize(
    ("args", "error", "said"),
    [
        ({1: 2}, TypeError, "1"),
        ({None: 2}, TypeError, "None"),
        ({"a": [{"b": {2.5: 0}}]}, TypeError, "2.5"),
        ({"a": ({True: 0},)}, TypeError, "True"),
        ({"a": math.nan}, ValueError, "JSON"),
        ({"a": [math.inf]}, ValueError, "JSON"),
        ({"a": -math.inf}, ValueError, "JSON"),
        ({"a": Unpicklable()}, TypeError, "Unpicklable"),
        ({"a": {1, 2}}, TypeError, "set"),
        ({"a": b"bytes"}, TypeError, "bytes"),
        ({"a": datetime.datetime(2030, 1, 1)}, TypeError, "datetime"),
        (ITSELF, ValueError, "contain themselves"),
        (nested(500), ValueError, "too deeply"),
    ],
)
def test_what_would_not_come_back_from_json_is_refused(args: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match="args") as caught:
        arguments(args)
    assert said in str(caught.value)


def test_args_over_the_limit_are_refused_with_both_sizes(settings: Any) -> None:
    settings.DJANGO_SIMPLE_QUEUE_MAX_ARGS_SIZE = 20
    assert arguments({"a": "1234567890"}) == '{"a": "1234567890"}'
    with pytest.raises(ValueError, match=r"21 bytes.*at most 20.*MAX_ARGS_SIZE"):
        arguments({"a": "123456789012"})


def test_tuples_become_lists() -> None:
    assert json.loads(arguments({"a": (1, (2, 3))})) == {"a": [1, [2, 3]]}


def test_what_databases_cannot_store_is_escaped() -> None:
    text = arguments({"a": "\0", "b": "\ud800", "c": "\U0001f41d"})
    assert text.isascii()
    assert "\0" not in text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_any_json_object_comes_back_as_it_was(args: dict[str, Any]) -> None:
    assert json.loads(arguments(args)) == args


# The other arguments

WRONG = [
    ("queue", "", ValueError),
    ("queue", "q" * 101, ValueError),
    ("queue", "a\0b", ValueError),
    ("queue", None, TypeError),
    ("queue", 7, TypeError),
    ("priority", 101, ValueError),
    ("priority", -101, ValueError),
    ("priority", 1.0, TypeError),
    ("priority", "1", TypeError),
    ("priority", True, TypeError),
    ("priority", None, TypeError),
    ("run_after", datetime.datetime(2030, 1, 1), ValueError),
    ("run_after", datetime.date(2030, 1, 1), TypeError),
    ("run_after", 60, TypeError),
    ("run_after", "tomorrow", TypeError),
    ("expires", datetime.datetime(2030, 1, 1), ValueError),
    ("expires", 60, TypeError),
    ("max_attempts", 0, ValueError),
    ("max_attempts", -1, ValueError),
    ("max_attempts", 2.0, TypeError),
    ("max_attempts", False, TypeError),
    ("timeout", 0, ValueError),
    ("timeout", -1, ValueError),
    ("timeout", math.nan, ValueError),
    ("timeout", math.inf, ValueError),
    ("timeout", "60", TypeError),
    ("timeout", datetime.timedelta(seconds=1), TypeError),
    ("timeout", True, TypeError),
    ("unique_key", "", ValueError),
    ("unique_key", "k" * 256, ValueError),
    ("unique_key", "a\0b", ValueError),
    ("unique_key", 7, TypeError),
]


@pytest.mark.parametrize(("name", "value", "error"), WRONG)
def test_a_wrong_argument_is_named_with_its_value(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"^{name} should") as caught:
        new_task("tests.jobs.tasks.noop", {}, {name: value})
    assert repr(value)[:20] in str(caught.value)


def test_every_argument_has_a_wrong_value_tried() -> None:
    assert {name for name, _, _ in WRONG} == CHECKS.keys()


NOW = datetime.datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("queue", "q"),
        ("queue", "q" * 100),
        ("queue", "Nachtzüge 🐝"),
        ("priority", -100),
        ("priority", 100),
        ("run_after", None),
        ("run_after", NOW),
        ("run_after", datetime.timedelta(seconds=-5)),
        ("expires", datetime.timedelta(days=1)),
        ("max_attempts", None),
        ("max_attempts", 1),
        ("timeout", None),
        ("timeout", 1),
        ("timeout", 0.001),
        ("unique_key", None),
        ("unique_key", " k "),
        ("unique_key", "k" * 255),
    ],
)
def test_a_right_argument_is_kept_as_it_is(name: str, value: Any) -> None:
    new = new_task("tests.jobs.tasks.noop", {}, {name: value})
    assert getattr(new, name) == value
    assert new == NewTask("tests.jobs.tasks.noop", "{}", **{name: value})


def test_a_callable_that_is_not_allowed_is_refused_before_its_arguments_are_looked_at() -> None:
    with pytest.raises(TaskNotAllowedError):
        new_task("os.system", None, {"priority": "x"})
