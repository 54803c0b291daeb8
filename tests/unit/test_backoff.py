"""Waits grow, have an upper bound, and are never the same for all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from django_simple_queue.backoff import LONGEST, pause, retry_delay

ATTEMPTS = st.integers(1, 10_000)
SECONDS = st.floats(0.001, 3600)


@given(ATTEMPTS, SECONDS)
def test_a_retry_waits_for_a_part_of_what_doubles_each_time(attempt: int, base: float) -> None:
    ceiling = min(LONGEST, base * 2 ** min(attempt - 1, 40))
    assert 0 <= retry_delay(attempt, base) <= ceiling <= LONGEST


def test_the_first_retry_waits_no_longer_than_the_setting() -> None:
    assert all(retry_delay(1, 10) <= 10 for _ in range(100))


def test_waits_lie_anywhere_below_what_has_doubled() -> None:
    waits = [retry_delay(3, 10) for _ in range(400)]
    assert min(waits) < 10 < 30 < max(waits) <= 40


def test_no_backoff_is_no_wait() -> None:
    assert retry_delay(5, 0) == 0


def test_two_tasks_that_failed_together_do_not_come_back_together() -> None:
    assert len({retry_delay(3, 10) for _ in range(50)}) == 50
    assert len({pause(3) for _ in range(50)}) == 50


@given(st.integers(0, 10_000))
def test_a_pause_is_short_and_never_zero(tries: int) -> None:
    assert 0 < pause(tries) <= 0.25
