"""Eight processes want one lease, and what can happen to a holder happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from . import holding


@pytest.mark.django_db(transaction=True)
def test_of_eight_one_has_it_though_holders_are_killed_and_suspended_for_longer_than_it_lasts(tmp_path: Path) -> None:
    def faults() -> Iterator[tuple[float, str]]:
        yield from [(0.3, "kill"), (0.2, "suspend"), (0.2, "kill"), (0.3, "")]

    outcome = holding.run(tmp_path, connection.settings_dict, faults())
    assert outcome.wrong == []
    assert outcome.confirmed >= 3
