"""A quarter of a minute of faults on the test's own database; python -m tests.chaos has more, and for longer."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from .faults import Faults
from .field import Field
from .run import run

SEED = 903  # kills and a suspension past a lease come early
SECONDS = 15.0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the processes of a worker by /proc")
def test_nothing_happens_under_faults_that_the_model_forbids(worker_env: dict[str, str], tmp_path: Path) -> None:
    database = json.loads(worker_env["DSQ_TEST_DATABASES_JSON"])["default"]
    field = Field(database, SEED, tmp_path, lease=1.5)
    try:
        report = run(field, Faults(field, None), SECONDS)  # the server is other tests' too
    finally:
        field.stop()
    wrong = "\n".join(report["wrong"])
    assert not wrong, f"seed {SEED}: {wrong}"
    assert report["history"]["events checked"] > report["tasks"] > 0
