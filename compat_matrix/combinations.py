"""Which combinations of database, Python, Django and driver a nox session runs."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from compat_matrix import matrix
from compat_matrix.matrix import Database
from compat_matrix.pythons import Python, newest_python, own_python


@dataclass(frozen=True, slots=True)
class Combination:
    database: Database
    python: Python
    django: str
    driver: str
    first: bool = False  # of those with this database

    @property
    def id(self) -> str:
        """What nox shows: mariadb-10.5-py311-django5.2, with the driver where there is a choice."""
        parts = [self.database.name, self.python.short, f"django{self.django}"]
        return "-".join([*parts, self.driver] if len(self.database.drivers) > 1 else parts)


def combinations(session: str) -> list[Combination]:
    """Everything with the machine's Python and the oldest Django, then the newest pair with the last driver."""
    rows = matrix.load()
    oldest = rows.djangos[0].version
    own = own_python()
    first = [
        Combination(database, own, oldest, driver, first=driver == database.drivers[0])
        for database in rows.of_session(session)
        for driver in database.drivers
    ]
    return first + _newest(session, oldest)


def _newest(session: str, oldest: str) -> list[Combination]:
    rows = matrix.load()
    # The oldest Python of the newest Django: with an older one there is nothing newer to run.
    at_least = rows.djangos[-1].oldest_python
    newest = newest_python(rows, at_least=at_least)
    if newest is None:
        print(f"No Python {at_least} or later found: only Django {oldest} is tested.", file=sys.stderr)
        return []
    found = []
    for database in rows.of_session(session):
        django = rows.newest_django(database, newest.version).version
        if django != oldest:
            found.append(Combination(database, newest, django, database.drivers[-1]))
    return found
