"""Whatever is enqueued, whoever works on it and whatever goes wrong: nothing is lost and nothing runs twice."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from .conftest import Run
from .draw import calm, wild
from .plan import Workload

# Each example is some seconds and hundreds of runs. None is shrunk: that takes long, and no run is exactly repeated.
EXAMPLES = int(os.environ.get("DSQ_WORKLOAD_EXAMPLES") or settings().max_examples // 6)
RICH = settings(
    report_multiple_bugs=False,  # the first one is worth reading
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def check(run: Run, workload: Workload) -> None:
    if wrong := run(workload):
        pytest.fail("\n\n".join([f"{len(wrong)} breaches:", *wrong[:5]]))


@settings(RICH, max_examples=EXAMPLES)
@given(workload=st.deferred(wild))
def test_a_disturbed_workload_keeps_every_promise(run: Run, workload: Workload) -> None:
    check(run, workload)


@settings(RICH, max_examples=max(1, EXAMPLES // 2))
@given(workload=st.deferred(calm))
def test_one_worker_keeps_the_order(run: Run, workload: Workload) -> None:
    check(run, workload)
