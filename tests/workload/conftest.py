from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.cases import empty_tables
from tests.worker.stage import Stage

from .judges import Judge
from .plan import Workload
from .play import Play

HERE = Path(__file__).parent
Run = Callable[..., list[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not sys.platform.startswith("linux"):
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="finds the processes of a worker by /proc"))


@contextmanager
def stage_in(environment: dict[str, str], folder: Path) -> Iterator[Stage]:
    folder.mkdir()
    stage = Stage(environment, folder)
    stage.environment["DJANGO_SETTINGS_MODULE"] = "tests.workload.settings"
    try:
        yield stage
    finally:
        stage.close()


@pytest.fixture
def run(worker_env: dict[str, str], tmp_path: Path) -> Run:
    """Run a workload from empty tables; what was wrong. `broken` names a rule that is broken in the workers."""
    count = itertools.count(1)

    def run(workload: Workload, *, broken: str = "", patience: float = 60.0) -> list[str]:
        empty_tables()
        with stage_in(worker_env | {"DSQ_BROKEN": broken}, tmp_path / f"play-{next(count)}") as stage:
            play = Play(workload, stage, patience)
            play.run()
            return Judge(play).wrong()

    return run
