"""Prints the matrix as a table for the documentation: python -m compat_matrix.report"""

from __future__ import annotations

from collections.abc import Iterator

from compat_matrix import matrix
from compat_matrix.matrix import Matrix, version_key

HEAD = ("Database", "Version", "Drivers", "Django", "nox session")
PRODUCTS = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB"}


def table(rows: Matrix) -> str:
    """Return the databases as a Markdown table, with the Pythons and Djangos below."""
    return "\n".join([_row(HEAD), _row(["---"] * len(HEAD)), *map(_row, _cells(rows)), "", _versions(rows), ""])


def _cells(rows: Matrix) -> Iterator[list[str]]:
    oldest = rows.djangos[0].version
    for database in rows.databases:
        highest = database.highest_django
        yield [
            PRODUCTS[database.kind],
            database.version,
            ", ".join(database.drivers),
            oldest if highest == oldest else f"{oldest} to {highest}",
            f"`nox -s {database.session}`",
        ]


def _versions(rows: Matrix) -> str:
    pythons = sorted(rows.pythons, key=version_key)
    djangos = ", ".join(f"{django.version} (Python {django.oldest_python} or later)" for django in rows.djangos)
    return f"Python {pythons[0]} to {pythons[-1]}. Django {djangos}."


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(table(matrix.load()), end="")
