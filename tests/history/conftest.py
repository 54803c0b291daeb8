from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.stage import Stage


@pytest.fixture
def stage(worker_env: dict[str, str], tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(worker_env | {"DSQ_HISTORY": str(tmp_path / "history")}, tmp_path)
    yield stage
    stage.close()
