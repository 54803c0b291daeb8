"""The judges are worth something: workers with one flaw each do not pass them, on any database."""

from __future__ import annotations

import os
from typing import NamedTuple

import pytest

from .conftest import Run
from .plan import Crew, Fault, Group, Workload

IS_LONG = "DSQ_WORKLOAD_EXAMPLES" in os.environ
FEW = (Group(count=40, ms=5), Group(kind="prints", count=20, ms=1), Group(kind="fails_once", count=10, attempts=2))
MANY = (Group(count=200, ms=5),)
PAIR = Crew(processes=2)
THREE_DEATHS = (Fault(at=30), Fault(at=60), Fault(at=90))


class Flaw(NamedTuple):
    """A rule of broken.py, a workload that shows that it is broken, and what is then said."""

    rule: str
    workload: Workload
    said: str


FLAWS = [
    Flaw("retries_are_lost", Workload(groups=FEW), "should be Completed, not Failed"),
    Flaw(
        "the_living_are_rescued",
        Workload(groups=(Group(count=100, ms=50),), crews=(PAIR, PAIR)),
        "where at most 0 tasks ran that died",
    ),
    Flaw("neighbours_are_lost_too", Workload(groups=MANY, faults=THREE_DEATHS), "losses by w0.0, where at most 3"),
]
# Others, for long runs.
MORE = [
    Flaw("what_is_done_is_forgotten", Workload(groups=MANY, faults=THREE_DEATHS), "explain another number"),
    Flaw(
        "priorities_are_turned_round",
        Workload(groups=(*FEW, Group(count=10, priority=5)), crews=(Crew(queues=("a",)),)),
        "whose turn it was",
    ),
    Flaw(
        "losses_run_with_others",
        Workload(groups=(Group(kind="kills_once", count=8, ms=20),), crews=(Crew(threads=3),)),
        "a task with a loss did not run alone",
    ),
    Flaw(
        "atomic_tasks_are_two_transactions",
        Workload(
            groups=(Group(kind="adds_one", count=20, ms=50),),
            faults=tuple(Fault(at=at, ms=30) for at in (3, 6, 9, 12)),
        ),
        "had 2 effects",
    ),
    Flaw(
        "anybody_may_finish",
        Workload(
            groups=(Group(kind="prints", count=120, ms=50),),
            crews=(PAIR, PAIR),
            faults=(Fault(what="suspend long", at=20),),
        ),
        "is not from its last run",
    ),
]


def test_workers_without_a_lock_are_found_out(run: Run) -> None:
    crew = Crew(processes=2, strategy="tests.workload.broken.LooksAndWritesApart")
    wrong = run(Workload(groups=(*FEW, Group(count=200, ms=20)), crews=(crew, crew)), patience=20)
    assert any("was run twice at once" in one for one in wrong)


@pytest.mark.parametrize("flaw", [*FLAWS, *(MORE if IS_LONG else ())], ids=lambda flaw: flaw.rule)
def test_a_broken_rule_is_found_out(run: Run, flaw: Flaw) -> None:
    wrong = run(flaw.workload, broken=flaw.rule, patience=20)
    assert any(flaw.said in one for one in wrong), wrong
