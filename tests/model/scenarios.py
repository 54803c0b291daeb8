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


def killers(rules: Rules, count: int, outside: int = 0) -> Scenario:
    """So many killers of whole workers and one innocent, in two workers of two runners."""
    name = f"{count} killers, MAX_WORKER_LOSSES {rules.max_losses}, {outside} deaths from outside"
    world = World(rules, worker_killers=frozenset(range(count)))
    return Scenario(name, world, 2, 2, rows(count + 1), Left(worker_deaths=outside), spared=True)


def scenarios(rules: Rules) -> list[Scenario]:
    """What every test run searches."""
    plain = World(rules)
    sent = World(rules, in_flight=True, whole_batches=True)
    kills = World(rules, worker_killers=KILLER)
    persons = World(rules, persons=PERSONS)
    comes_and_goes = World(rules, persons=("enqueue", "delete"))
    deaths = Left(runner_deaths=1, worker_deaths=1)
    return [
        Scenario("crashes", plain, 3, 1, rows(3), deaths),
        Scenario("crashes, two runners", plain, 2, 2, rows(3), Left(worker_deaths=1)),
        Scenario("suspended", plain, 3, 1, rows(3), Left(suspensions=1)),
        Scenario("suspended, two runners", plain, 2, 2, rows(2), Left(suspensions=1)),
        Scenario("retries", plain, 3, 1, rows(3), Left(failures=2)),
        Scenario("retries and deaths", plain, 3, 1, rows(2), Left(1, 1, failures=1)),
        Scenario("killer", kills, 2, 2, rows(3), spared=True),
        Scenario("killer behind", World(rules, worker_killers=frozenset({2})), 2, 2, rows(3), spared=True),
        Scenario("killer of runners", World(rules, runner_killers=KILLER), 2, 2, rows(3), spared=True),
        Scenario("killer, claims by halves", kills._replace(claims_by_halves=True), 2, 2, rows(2), spared=True),
        Scenario("killer put back", kills._replace(persons=("requeue", "retry")), 2, 1, rows(2), Left(edits=2)),
        Scenario("persons", persons, 2, 1, rows(2), Left(worker_deaths=1, edits=2)),
        Scenario("persons, three workers", persons, 3, 1, rows(2), Left(worker_deaths=1, edits=1)),
        Scenario("cancel by kill", World(rules, persons=("cancel",)), 2, 1, rows(2), Left(edits=1)),
        Scenario("stale copy", World(rules, persons=("read",)), 2, 1, rows(2), Left(runner_deaths=1, edits=1)),
        Scenario("comes and goes", comes_and_goes, 2, 1, (Row(), Row(ABSENT)), deaths._replace(edits=2)),
        Scenario("late", sent, 2, 2, rows(2), Left(runner_deaths=1, late=1)),
        Scenario("late, suspended", sent, 2, 2, rows(1), Left(suspensions=1, late=1)),
        Scenario("start by halves", World(rules, starts_by_halves=True), 2, 1, rows(2), Left(suspensions=1)),
        Scenario("sweep by halves", sent._replace(sweeps_by_halves=True), 2, 1, rows(2), Left(late=1)),
    ]


def wide(rules: Rules) -> list[Scenario]:
    """What takes minutes: python -m tests.model wide."""
    plain = World(rules)
    persons = World(rules, persons=PERSONS)
    sent = World(rules, in_flight=True, whole_batches=True)
    return [
        Scenario("crash and suspension", plain._replace(whole_batches=True), 3, 1, rows(3), Left(0, 1, 1)),
        Scenario("all three at once", plain, 3, 1, rows(2), Left(1, 1, 1)),
        Scenario("persons, three by three", persons, 3, 1, rows(3), Left(worker_deaths=1, edits=1)),
        Scenario("persons and suspension", persons, 3, 1, rows(2), Left(suspensions=1, edits=1)),
        Scenario("late, three workers", sent, 3, 1, rows(2), Left(suspensions=1, late=1)),
        Scenario("late, two tasks", sent, 2, 2, rows(2), Left(suspensions=1, late=1)),
        Scenario("halves", plain._replace(starts_by_halves=True), 2, 1, rows(3), Left(1, 0, 1)),
        killers(Rules(3), 2),
        killers(Rules(3), 1, outside=1),
    ]
