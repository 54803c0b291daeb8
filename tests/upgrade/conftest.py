from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper

from .databases import scratch_database


@pytest.fixture
def scratch(tmp_path: Path, django_db_setup: None, django_db_blocker: Any) -> Iterator[BaseDatabaseWrapper]:
    """A connection to an empty database, which is the alias "upgrade"."""
    with django_db_blocker.unblock(), scratch_database(tmp_path) as connection:
        yield connection
