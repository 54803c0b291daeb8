"""python -m tests.claims.racing --database postgresql --rows 5000 --batch 25

Eight processes drain one table, with every pair of strategies that the database can run, without and with two of them
killed: one before its commit, one after. Prints how many rows came twice, were left, and what a death cost.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

from .crew import PATIENCE, Crew, Member, wait_for

RIVALS = 8
BEFORE_COMMIT, AFTER_COMMIT = "before commit", "after commit"


@dataclasses.dataclass(frozen=True)
class Race:
    rows: int
    batch: int
    strategies: tuple[str, ...]  # one after the other, given to the rivals in turn
    deaths: tuple[str, ...] = ()  # of the first rivals
    rivals: int = RIVALS


@dataclasses.dataclass
class Outcome:
    twice: int  # times that a row was given out again
    left: int
    costs: dict[str, list[int]]  # rows that each death took with it
    shares: list[int]  # rows of each survivor
    seconds: float
    wrong: list[str]


# ---- a rival, in a process of its own ----


def drain(me: Member, strategy: str, batch: int, death: str | None, share: int) -> None:
    """Claim until nothing is left or death comes; after `share` batches wait until the dead are dead."""
    from django.conf import settings
    from django.db import connection, transaction

    from django_simple_queue.backends import get_strategy
    from django_simple_queue.backends.skip_locked import SkipLockedReturning
    from django_simple_queue.claims import claim_rows

    from .models import Target

    settings.DJANGO_SIMPLE_QUEUE_CLAIM_STRATEGY = strategy
    waiting = Target.objects.filter(status=0)
    updates = {"status": 1, "claimer": me.number}
    connection.ensure_connection()
    # A single statement is its own transaction: there death before commit needs one of the caller's.
    single = isinstance(get_strategy("default"), SkipLockedReturning)
    me.say(f"ready-{me.number}")
    wait_for(lambda: me.heard("go"), "the start")
    batches = 0
    with connection.execute_wrapper(Deadly(me)) if death == BEFORE_COMMIT else nullcontext():
        while True:
            if batches == share and death is None:
                wait_for(lambda: me.heard("mourned"), "the dead to be dead")
            with transaction.atomic() if single and death == BEFORE_COMMIT else nullcontext():
                found = claim_rows(waiting.order_by("priority", "id"), limit=batch, updates=updates, wait=PATIENCE)
            if found and death == AFTER_COMMIT:
                me.die()
            if found:
                me.tell([row.pk for row in found])
                batches += 1
            elif not waiting.exists():
                return
            else:
                time.sleep(0.005)


class Deadly:
    """Death as soon as rows have been written and are not committed."""

    def __init__(self, me: Member) -> None:
        self.me = me

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        done = execute(sql, params, many, context)
        if sql.lstrip().startswith(("UPDATE", "WITH")):
            assert context["connection"].in_atomic_block
            self.me.die()
        return done


# ---- the race ----


def run(race: Race, database: dict[str, Any]) -> Outcome:
    """On tables that are there and empty of targets."""
    from .models import Target

    Target.objects.bulk_create([Target(priority=number % 5) for number in range(race.rows)], batch_size=1000)
    deaths = dict(enumerate(race.deaths))
    share = max(1, (race.rows // race.batch - len(deaths)) // (2 * race.rivals)) if deaths else 0
    with tempfile.TemporaryDirectory(prefix="dsq-race-") as folder, Crew(Path(folder), database) as crew:
        for number in range(race.rivals):
            strategy = race.strategies[number % len(race.strategies)]
            crew.start(number, drain, strategy, race.batch, deaths.get(number), share or -1)
        crew.wait_until_ready()
        started = time.monotonic()
        crew.say("go")
        for number in deaths:
            crew.processes[number].join(PATIENCE)
        crew.say("mourned")
        ends = crew.join(PATIENCE + race.rows / race.batch / 10)
        seconds = time.monotonic() - started
        told = {number: [key for line in crew.told_by(number) for key in line] for number in range(race.rivals)}
    outcome = _judged(race, deaths, ends, told, seconds)
    Target.objects.all().delete()
    return outcome


def _judged(
    race: Race, deaths: dict[int, str], ends: dict[int, int], told: dict[int, list[int]], seconds: float
) -> Outcome:
    from .models import Target

    written: dict[int, set[int]] = {number: set() for number in range(race.rivals)}
    for key, claimer in Target.objects.filter(status=1).values_list("pk", "claimer"):
        written[claimer].add(key)
    times = Counter(key for keys in told.values() for key in keys)
    untold = {number: len(written[number] - set(told[number])) for number in written}
    outcome = Outcome(
        twice=sum(times.values()) - len(times),
        left=Target.objects.filter(status=0).count(),
        costs={death: [untold[n] for n, its in deaths.items() if its == death] for death in race.deaths},
        shares=sorted(len(keys) for number, keys in told.items() if number not in deaths),
        seconds=seconds,
        wrong=[],
    )
    outcome.wrong = list(_wrongs(race, deaths, ends, outcome, untold, times))
    return outcome


def _wrongs(
    race: Race, deaths: dict[int, str], ends: dict[int, int], outcome: Outcome, untold: dict[int, int], times: Any
) -> Iterator[str]:
    if outcome.twice:
        yield f"{outcome.twice} rows were given out again"
    if outcome.left:
        yield f"{outcome.left} rows are left"
    for number, end in ends.items():
        if end != (-9 if number in deaths else 0):
            yield f"rival {number} ended with {end}"
        expected = {1, race.batch} if deaths.get(number) == AFTER_COMMIT else {0}
        if not min(expected) <= untold[number] <= max(expected):
            yield f"rival {number} ({deaths.get(number, 'survived')}) wrote {untold[number]} rows that nobody got"
    if len(times) + sum(untold.values()) != race.rows:
        yield f"{len(times)} rows were given out, {sum(untold.values())} died with their claimer, of {race.rows}"


def strategies() -> list[str]:
    """The names of all that this database can run."""
    from django.db import connection

    from django_simple_queue.backends.registry import choose, names
    from django_simple_queue.exceptions import StrategyError

    def can_run(name: str) -> bool:
        try:
            choose(connection, name)
        except StrategyError:
            return False
        return True

    return [name for name in names() if can_run(name)]


# ---- in full size ----


@contextmanager
def own_database(name: str) -> Iterator[dict[str, Any]]:
    """The settings of a database on a server of that name of the matrix, with all tables, for this process."""
    from compat_matrix import matrix
    from compat_matrix.servers import server

    with server(matrix.load().database(name)) as running:
        os.environ.pop("DSQ_TEST_DATABASES_JSON", None)
        os.environ.update(DSQ_TEST_DATABASE=running.url, DJANGO_SETTINGS_MODULE="tests.settings")
        import django

        django.setup()
        from django.db import connection

        before = connection.settings_dict["NAME"]
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
        try:
            yield json.loads(json.dumps(connection.settings_dict, default=str)) | {"server": running.process}
        finally:
            connection.creation.destroy_test_db(before, verbosity=0)


def main(arguments: Sequence[str] | None = None) -> int:
    from compat_matrix import matrix

    parser = argparse.ArgumentParser(prog="python -m tests.claims.racing", description=__doc__)
    parser.add_argument("--database", choices=[row.name for row in matrix.load().databases], default="sqlite")
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--batch", type=int, action="append", help="1, 25 and 400 if not given")
    options = parser.parse_args(arguments)
    wrong: list[str] = []
    print("database       strategies                          batch deaths rows/s twice left cost        least/most")
    with own_database(options.database) as database:
        for pair in combinations_with_replacement(strategies(), 2):
            for batch in options.batch or [1, 25, 400]:
                for deaths in ((), (BEFORE_COMMIT, AFTER_COMMIT)):
                    outcome = run(Race(options.rows, batch, pair, deaths), database)
                    print(_line(options, " + ".join(dict.fromkeys(pair)), batch, outcome), flush=True)
                    wrong += outcome.wrong
    print("\n".join(wrong) or "Nothing is wrong.")
    return 1 if wrong else 0


def _line(options: argparse.Namespace, pair: str, batch: int, outcome: Outcome) -> str:
    cost = "/".join(str(rows) for costs in outcome.costs.values() for rows in costs) or "-"
    return (
        f"{options.database:14} {pair:35} {batch:5} {sum(map(len, outcome.costs.values())):6}"
        f" {options.rows / outcome.seconds:6.0f} {outcome.twice:5} {outcome.left:4} {cost:11}"
        f" {outcome.shares[0]}/{outcome.shares[-1]}"
    )


if __name__ == "__main__":
    sys.exit(main())
