from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .stage import Stage

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not sys.platform.startswith("linux"):
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="finds the processes of a worker by /proc"))


@pytest.fixture
def stage(worker_env: dict[str, str], tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(worker_env, tmp_path)
    yield stage
    stage.close()
