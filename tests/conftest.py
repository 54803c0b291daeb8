"""What all tests share: Hypothesis's profiles and the environment of processes that tests start."""

from __future__ import annotations

import json
import os
from collections import deque
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

# Databases are slow and not evenly so: a deadline would only make tests flaky.
hypothesis_settings.register_profile(
    "default", deadline=None, derandomize=False, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.register_profile("ci", hypothesis_settings.get_profile("default"), max_examples=25, print_blob=True)
hypothesis_settings.load_profile(os.environ.get("DSQ_HYPOTHESIS_PROFILE", "default"))

ROOT = Path(__file__).parents[1]
LONG = ("workload", "stateful", "outages", "chaos", "history")  # folders, longest first


def pytest_report_header(config: pytest.Config) -> str:
    database = settings.DATABASES["default"]
    driver = os.environ.get("DSQ_TEST_DRIVER")
    return f"database: {database['ENGINE']}" + (f" with {driver}" if driver else "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest first, so that nothing long is left for the end, when other processes are done already.

    Each process begins with an equal part of the list, one after another: what is long is dealt out to those parts.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    folder = {name: place for place, name in enumerate(LONG)}
    long = sorted(
        (item for item in items if item.path.parent.name in folder), key=lambda item: folder[item.path.parent.name]
    )
    rest = deque(item for item in items if item.path.parent.name not in folder)
    size = -(-len(items) // processes)
    items.clear()
    for process in range(processes):
        dealt = long[process::processes]
        items += dealt
        items += [rest.popleft() for _ in range(min(len(rest), size - len(dealt)))]
    items += rest


@pytest.fixture
def worker_env(transactional_db: None) -> dict[str, str]:
    """The environment for a process that works on this test's database.

    The test commits what it writes (transactional_db), since the process could not see it otherwise.
    """
    database = {
        name: connection.settings_dict[name]
        for name in ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS", "CONN_MAX_AGE")
    }
    search_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DSQ_TEST_DATABASES_JSON": json.dumps({"default": database}),
        "PYTHONPATH": search_path,
        "PYTHONUNBUFFERED": "1",
    }
