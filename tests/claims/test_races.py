"""Eight processes drain one table: no row twice, none left, and a death costs one committed batch."""

from __future__ import annotations

import pytest
from django.db import connection

from .racing import AFTER_COMMIT, BEFORE_COMMIT, Race, run, strategies

pytestmark = pytest.mark.django_db(transaction=True)


def race(rows: int, batch: int, *names: str, deaths: tuple[str, ...] = ()) -> None:
    """With rivals of these strategies, or of all that the database can run."""
    outcome = run(Race(rows, batch, names or tuple(strategies()), deaths), connection.settings_dict)
    assert outcome.wrong == []


@pytest.mark.parametrize("name", ["skip_locked", "row_lock", "exclusive", "compare_and_swap"])
def test_a_row_goes_to_one_of_eight(name: str) -> None:
    if name not in strategies():
        pytest.skip(f"this database cannot run {name}")
    race(400, 25, name)


def test_strategies_may_be_mixed_on_one_table() -> None:
    race(400, 7)


def test_rows_are_claimed_one_by_one() -> None:
    race(100, 1)


def test_few_large_batches_leave_nothing() -> None:
    race(2000, 400)


@pytest.mark.parametrize("name", ["skip_locked", "row_lock", "exclusive", "compare_and_swap"])
def test_who_dies_before_the_commit_takes_nothing_along_and_who_dies_after_it_one_batch(name: str) -> None:
    if name not in strategies():
        pytest.skip(f"this database cannot run {name}")
    race(400, 25, name, deaths=(BEFORE_COMMIT, AFTER_COMMIT))
