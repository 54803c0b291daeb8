from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from compat_matrix.errors import ServerError
from django_simple_queue.models import Attempt, Task, Worker
from tests.worker.stage import Stage

from .ground import Ground, environment, migrate, own_ground, own_row, sqlite_file, working_on

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.outage)
            if not sys.platform.startswith("linux"):
                item.add_marker(pytest.mark.skip(reason="finds the processes of a worker by /proc"))


@pytest.fixture(scope="session")
def started_ground(django_db_blocker: Any) -> Iterator[Ground]:
    with django_db_blocker.unblock():
        row = own_row()
        if row.kind == "sqlite":
            pytest.skip("a file has no server that can be away")
        if os.environ.get(row.url_variable):
            pytest.skip(f"{row.url_variable} names the server: it is not ours to stop")
        try:
            with own_ground(row) as ground:
                yield ground
        except ServerError as error:
            pytest.skip(f"no server of our own: {error}")


@pytest.fixture
def ground(started_ground: Ground, django_db_blocker: Any) -> Iterator[Ground]:
    """A server with an empty queue, which is this thread's default database."""
    with django_db_blocker.unblock(), working_on(started_ground.direct):
        yield started_ground
        connection.close()
        started_ground.as_usual()
        for model in (Task, Worker, Attempt):
            model.objects.all().delete()


@pytest.fixture
def stage(ground: Ground, tmp_path: Path) -> Iterator[Stage]:
    """Starts workers on that server, directly; a test may give each an address of its own."""
    stage = Stage(environment(ground.direct), tmp_path)
    yield stage
    stage.close()


@pytest.fixture
def file_stage(tmp_path: Path, django_db_blocker: Any) -> Iterator[Stage]:
    """Workers on an SQLite file of its own, which is this thread's default database."""
    if connection.vendor != "sqlite":
        pytest.skip("SQLite's own weather")
    folder = tmp_path / "database"
    folder.mkdir()
    database = sqlite_file(folder)
    migrate(database)
    stage = Stage(environment(database), tmp_path)
    with django_db_blocker.unblock(), working_on(database):
        yield stage
        stage.close()
