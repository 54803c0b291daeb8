"""Workloads that once broke a promise."""

from __future__ import annotations

import pytest

from .conftest import Run
from .plan import Fault, Group, Workload

FOUND = {
    # Shorter than a heartbeat, a burst never looked for dead workers, nor did the next one.
    "bursts that leave to each other what a dead worker holds": Workload(
        groups=(Group(count=2, ms=50),), faults=(Fault(what="kill worker"),), burst=True
    ),
}


@pytest.mark.parametrize("workload", FOUND.values(), ids=FOUND)
def test_it_keeps_every_promise(run: Run, workload: Workload) -> None:
    assert not run(workload)
