"""The sizes and misfortunes that are searched: those of every test run, and wider ones by hand."""

from __future__ import annotations

from .rules import Rules
from .search import Scenario
from .state import ABSENT, Left, Row
from .world import World

PERSONS = ("requeue", "set cancelled", "cancel", "retry")
KILLER = frozenset({0})


def rows(count: int) -> tuple[Row, ...]:
    """So many queued tasks."""
    return (Row(),) * count


def scenarios(rules: Rules) -> list[Scenario]:
    """What every test run searches."""
    plain = World(rules)
    sent = World(rules, in_flight=True, whole_batches=True)
    return [
        Scenario("crashes", plain, 3, 1, rows(3), Left(runner_deaths=1, worker_deaths=1)),
        Scenario("crashes, two runners", World(rules, whole_batches=True), 2, 2, rows(3), Left(runner_deaths=1, worker_deaths=1)),
        Scenario("suspended", plain, 3, 1, rows(3), Left(suspensions=1)),
        Scenario("suspended, two runners", plain, 2, 2, rows(2), Left(suspensions=1)),
        Scenario("retries", plain, 3, 1, rows(2), Left(runner_deaths=1, failures=2)),
        Scenario("killer", World(rules, worker_killers=KILLER), 2, 2, rows(3), spared=True),
        Scenario("killer behind", World(rules, worker_killers=frozenset({2})), 2, 2, rows(3), spared=True),
        Scenario("killer of runners", World(rules, runner_killers=KILLER), 2, 2, rows(3), spared=True),
        Scenario(
            "killer put back", World(rules, worker_killers=KILLER, persons=PERSONS), 2, 1, rows(2), Left(edits=2)
        ),
        Scenario("persons", World(rules, persons=PERSONS), 2, 1, rows(2), Left(worker_deaths=1, edits=2)),
        Scenario(
            "persons, three workers", World(rules, persons=PERSONS), 3, 1, rows(2), Left(worker_deaths=1, edits=1)
        ),
        Scenario("cancel by kill", World(rules, persons=("cancel",)), 2, 1, rows(2), Left(edits=1)),
        Scenario("stale copy", World(rules, persons=("read",)), 2, 1, rows(2), Left(runner_deaths=1, edits=1)),
        Scenario(
            "enqueue and delete",
            World(rules, persons=("enqueue", "delete")),
            2,
            1,
            (Row(), Row(ABSENT)),
            Left(runner_deaths=1, worker_deaths=1, edits=2),
        ),
        Scenario("late", sent, 2, 2, rows(2), Left(runner_deaths=1, late=1)),
        Scenario("late, suspended", sent, 2, 2, rows(1), Left(suspensions=1, late=1)),
        Scenario("start by halves", World(rules, starts_by_halves=True), 2, 1, rows(2), Left(suspensions=1)),
        Scenario("sweep by halves", sent._replace(sweeps_by_halves=True), 2, 1, rows(2), Left(late=1)),
    ]


def wide(rules: Rules) -> list[Scenario]:
    """What takes minutes: python -m tests.model wide."""
    return []
