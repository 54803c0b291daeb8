"""The database as processes see it, and each strategy that it can run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, connections, transaction
from django.test import TransactionTestCase

from django_simple_queue.backends.compare_and_swap import CompareAndSwap
from django_simple_queue.backends.exclusive import Exclusive
from django_simple_queue.backends.row_lock import RowLock
from django_simple_queue.backends.skip_locked import SkipLocked, SkipLockedReturning
from django_simple_queue.models import Lease

pytest.register_assert_rewrite("tests.claims.tools")

from .tools import Rival  # noqa: E402

STRATEGIES = {
    SkipLockedReturning: "has_select_for_no_key_update",
    SkipLocked: "has_select_for_update_skip_locked",
    RowLock: "has_select_for_update",
    Exclusive: None,
    CompareAndSwap: None,
}


@pytest.fixture
def quick_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empties the tables of this folder behind a test, which is quicker than to flush those of all apps."""
    monkeypatch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: empty_tables())


@pytest.fixture
def database(quick_end: None, transactional_db: None) -> None:
    """The test database; what a test writes is committed, and deleted behind it."""


def empty_tables() -> None:
    models = [model for model in apps.get_app_config("claims").get_models() if not model._meta.proxy]
    with transaction.atomic(), connection.cursor() as cursor:
        for model in (*reversed(models), Lease):
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")


@pytest.fixture(params=STRATEGIES, ids=lambda strategy: strategy.__name__)
def strategy(request: pytest.FixtureRequest, database: None, settings: Any) -> Any:
    """The class of a strategy that this database can run, set for the project."""
    flag, fit = STRATEGIES[request.param], request.param.fit(connection)
    if not fit.ok:
        assert not flag or not getattr(connection.features, flag), "the flag allows it, but it says it does not fit"
        pytest.skip(fit.why)
    vars(connections["default"]).pop("_dsq_claim_strategies", None)  # one of the test before may have met rivals
    settings.DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY = f"{request.param.__module__}.{request.param.__name__}"
    return request.param


@pytest.fixture
def rival(database: None) -> Iterator[Rival]:
    """Another thread with a connection of its own."""
    rival = Rival()
    yield rival
    rival.close()


@pytest.fixture
def other_rival(database: None) -> Iterator[Rival]:
    rival = Rival()
    yield rival
    rival.close()
